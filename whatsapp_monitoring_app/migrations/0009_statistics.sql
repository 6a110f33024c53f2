-- The ledger of counts: how many messages are in which state, by the hour in which they were created.
--
-- Triggers write what each statement changes into "tallychange" (-1 for the former state, +1 for the new one), and
-- whatsapp_fold adds that up into the tallies. Tallies and changes together are right at any moment. The names of
-- columns are those of models/tallies.py; docs/adr/0020-ledger-of-counts.md says why it is so.

-- How long something took, as the number of a class; each is 10 % wider than the one before, from a millisecond on.
CREATE FUNCTION whatsapp_time_class(due timestamptz, moment timestamptz) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN moment IS NOT NULL THEN
    least(255, round(ln(greatest(0, 1000 * date_part('epoch', moment - due)) + 1) / ln(1.1::float8)))::smallint
  END
$$;

-- What a notification counts as: nothing but its own columns decides. A function in FROM, which the planner dissolves.
CREATE FUNCTION whatsapp_standing(
  status varchar, created_at timestamptz, held_until timestamptz, first_attempt_at timestamptz, sent_at timestamptz,
  delivered_at timestamptz, settled_by_id bigint, informed_at timestamptz, resent_as_id uuid, error_class varchar,
  error_code varchar, template_id bigint, sender_id bigint
) RETURNS TABLE (
  hour timestamptz, sender bigint, state varchar, pace varchar, is_open boolean, failed_class varchar,
  failed_code varchar, failed_template bigint, tried smallint, accepted smallint, delivered smallint
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT
    date_bin('1 hour', created_at, timestamptz '2000-01-01 00:00+00'),
    coalesce(sender_id, 0),
    (CASE WHEN status IN ('pending', 'sending', 'retry_scheduled') THEN 'waiting' ELSE status END)::varchar,
    (CASE
      WHEN first_attempt_at - coalesce(held_until, created_at) <= interval '10 seconds' THEN 'prompt'
      WHEN first_attempt_at IS NOT NULL THEN 'tardy'
      WHEN status = 'cancelled' THEN ''
      WHEN status IN ('pending', 'sending', 'retry_scheduled') THEN 'untried'
      ELSE 'tardy'
    END)::varchar,
    status = 'failed' AND settled_by_id IS NULL AND informed_at IS NULL AND resent_as_id IS NULL,
    (CASE WHEN status = 'failed' THEN error_class ELSE '' END)::varchar,
    (CASE WHEN status = 'failed' THEN error_code ELSE '' END)::varchar,
    CASE WHEN status = 'failed' THEN coalesce(template_id, 0) ELSE 0 END,
    whatsapp_time_class(coalesce(held_until, created_at), first_attempt_at),
    whatsapp_time_class(coalesce(held_until, created_at), sent_at),
    CASE WHEN settled_by_id IS NULL THEN
      whatsapp_time_class(coalesce(held_until, created_at), delivered_at)
    END
$$;

CREATE FUNCTION whatsapp_note_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO whatsapp_monitoring_app_whatsapptallychange (
    source_app, message_type, category, hour, sender, state, pace, is_open, error_class, error_code, template,
    tried, accepted, delivered, is_purged, count)
  SELECT n.source_app, n.message_type, n.category, s.*, false, count(*)
  FROM new_rows n, whatsapp_standing(
    n.status, n.created_at, n.held_until, n.first_attempt_at, n.sent_at, n.delivered_at, n.settled_by_id,
    n.informed_at, n.resent_as_id, n.error_class, n.error_code, n.template_id, n.sender_id) s
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14;
  RETURN NULL;
END $$;

-- A statement that changes nothing that is counted (a bell, a lease) writes nothing.
CREATE FUNCTION whatsapp_note_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO whatsapp_monitoring_app_whatsapptallychange (
    source_app, message_type, category, hour, sender, state, pace, is_open, error_class, error_code, template,
    tried, accepted, delivered, is_purged, count)
  SELECT n.source_app, n.message_type, n.category, s.*, false, sum(n.step)
  FROM (
    SELECT -1 AS step, source_app, message_type, category, status, created_at, held_until, first_attempt_at, sent_at,
      delivered_at, settled_by_id, informed_at, resent_as_id, error_class, error_code, template_id, sender_id
    FROM old_rows
    UNION ALL
    SELECT 1, source_app, message_type, category, status, created_at, held_until, first_attempt_at, sent_at,
      delivered_at, settled_by_id, informed_at, resent_as_id, error_class, error_code, template_id, sender_id
    FROM new_rows
  ) n, whatsapp_standing(
    n.status, n.created_at, n.held_until, n.first_attempt_at, n.sent_at, n.delivered_at, n.settled_by_id,
    n.informed_at, n.resent_as_id, n.error_class, n.error_code, n.template_id, n.sender_id) s
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
  HAVING sum(n.step) <> 0;
  RETURN NULL;
END $$;

-- What is deleted stays counted, as purged: nothing of it can be counted anew, and nothing of it waits for anybody.
CREATE FUNCTION whatsapp_note_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO whatsapp_monitoring_app_whatsapptallychange (
    source_app, message_type, category, hour, sender, state, pace, error_class, error_code, template,
    tried, accepted, delivered, is_open, is_purged, count)
  SELECT n.source_app, n.message_type, n.category, s.hour, s.sender, s.state, s.pace, s.failed_class, s.failed_code,
    s.failed_template, s.tried, s.accepted, s.delivered, s.is_open AND NOT p.is_purged, p.is_purged, sum(p.step)
  FROM old_rows n, whatsapp_standing(
    n.status, n.created_at, n.held_until, n.first_attempt_at, n.sent_at, n.delivered_at, n.settled_by_id,
    n.informed_at, n.resent_as_id, n.error_class, n.error_code, n.template_id, n.sender_id) s,
    (VALUES (false, -1), (true, 1)) p (is_purged, step)
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15;
  RETURN NULL;
END $$;

CREATE TRIGGER whatsapp_note_inserted AFTER INSERT ON whatsapp_monitoring_app_whatsappnotification
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION whatsapp_note_inserted();

CREATE TRIGGER whatsapp_note_updated AFTER UPDATE ON whatsapp_monitoring_app_whatsappnotification
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION whatsapp_note_updated();

CREATE TRIGGER whatsapp_note_deleted AFTER DELETE ON whatsapp_monitoring_app_whatsappnotification
REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION whatsapp_note_deleted();

-- A class of times as a place in a number: twelve digits each, so that one sum adds up all classes at once.
CREATE FUNCTION whatsapp_place(class smallint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ('1' || repeat('0', 12 * class))::numeric $$;

-- Add these changes up into the tallies.
CREATE FUNCTION whatsapp_add_up(changes whatsapp_monitoring_app_whatsapptallychange[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO whatsapp_monitoring_app_whatsapptally AS old (
    hour, source_app, sender, message_type, category, is_purged, total, waiting, unconfirmed, accepted, delivered,
    read, failed, to_handle, prompt, tardy, untried)
  SELECT hour, source_app, sender, message_type, category, is_purged,
    sum(count),
    coalesce(sum(count) FILTER (WHERE state = 'waiting'), 0),
    coalesce(sum(count) FILTER (WHERE state = 'unconfirmed'), 0),
    coalesce(sum(count) FILTER (WHERE state = 'sent'), 0),
    coalesce(sum(count) FILTER (WHERE state = 'delivered'), 0),
    coalesce(sum(count) FILTER (WHERE state = 'read'), 0),
    coalesce(sum(count) FILTER (WHERE state = 'failed'), 0),
    coalesce(sum(count) FILTER (WHERE is_open), 0),
    coalesce(sum(count) FILTER (WHERE pace = 'prompt'), 0),
    coalesce(sum(count) FILTER (WHERE pace = 'tardy'), 0),
    coalesce(sum(count) FILTER (WHERE pace = 'untried'), 0)
  FROM unnest(changes) GROUP BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (hour, source_app, sender, message_type, category, is_purged) DO UPDATE SET
    total = old.total + excluded.total,
    waiting = old.waiting + excluded.waiting,
    unconfirmed = old.unconfirmed + excluded.unconfirmed,
    accepted = old.accepted + excluded.accepted,
    delivered = old.delivered + excluded.delivered,
    read = old.read + excluded.read,
    failed = old.failed + excluded.failed,
    to_handle = old.to_handle + excluded.to_handle,
    prompt = old.prompt + excluded.prompt,
    tardy = old.tardy + excluded.tardy,
    untried = old.untried + excluded.untried;

  INSERT INTO whatsapp_monitoring_app_whatsappfailuretally AS old (
    hour, source_app, error_class, error_code, template, is_purged, count)
  SELECT hour, source_app, error_class, error_code, template, is_purged, sum(count)
  FROM unnest(changes) WHERE state = 'failed' GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(count) <> 0
  ON CONFLICT (hour, source_app, error_class, error_code, template, is_purged) DO UPDATE SET
    count = old.count + excluded.count;

  INSERT INTO whatsapp_monitoring_app_whatsapptimetally AS old (hour, source_app, measure, is_purged, histogram)
  SELECT hour, source_app, measure, is_purged, sum(count * whatsapp_place(class))
  FROM (
    SELECT hour, source_app, measure, is_purged, class, sum(count) AS count
    FROM unnest(changes), LATERAL (VALUES ('tried', tried), ('accepted', accepted), ('delivered', delivered))
      AS times (measure, class)
    WHERE class IS NOT NULL GROUP BY 1, 2, 3, 4, 5 HAVING sum(count) <> 0
  ) classes
  GROUP BY 1, 2, 3, 4
  ON CONFLICT (hour, source_app, measure, is_purged) DO UPDATE SET histogram = old.histogram + excluded.histogram;

  INSERT INTO whatsapp_monitoring_app_whatsappbacklog AS old (source_app, state, error_class, count)
  SELECT source_app, state, error_class, sum(count)
  FROM unnest(changes) WHERE NOT is_purged AND (state IN ('waiting', 'unconfirmed') OR is_open)
  GROUP BY 1, 2, 3 HAVING sum(count) <> 0
  ON CONFLICT (source_app, state, error_class) DO UPDATE SET count = old.count + excluded.count;

  -- Before it has a sender a message counts under none: such rows come to nothing.
  DELETE FROM whatsapp_monitoring_app_whatsapptally WHERE hour IN (SELECT hour FROM unnest(changes))
    AND total = 0 AND waiting = 0 AND unconfirmed = 0 AND accepted = 0 AND delivered = 0 AND read = 0 AND failed = 0
    AND to_handle = 0 AND prompt = 0 AND tardy = 0 AND untried = 0;
  DELETE FROM whatsapp_monitoring_app_whatsappfailuretally
  WHERE hour IN (SELECT hour FROM unnest(changes)) AND count = 0;
  DELETE FROM whatsapp_monitoring_app_whatsapptimetally
  WHERE hour IN (SELECT hour FROM unnest(changes)) AND histogram = 0;
  DELETE FROM whatsapp_monitoring_app_whatsappbacklog WHERE count = 0;
END $$;

-- Add so many of the noted changes up; how many. Nobody waits for it: while somebody else is at it, none.
CREATE FUNCTION whatsapp_fold(at_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  changes whatsapp_monitoring_app_whatsapptallychange[];
BEGIN
  IF pg_try_advisory_xact_lock(hashtext('whatsapp_tallies')) THEN
    WITH taken AS (
      DELETE FROM whatsapp_monitoring_app_whatsapptallychange
      WHERE id IN (SELECT id FROM whatsapp_monitoring_app_whatsapptallychange ORDER BY id LIMIT at_most)
      RETURNING whatsapp_monitoring_app_whatsapptallychange AS change
    )
    SELECT array_agg(change) INTO changes FROM taken;
    PERFORM whatsapp_add_up(changes);
  END IF;
  RETURN coalesce(cardinality(changes), 0);
END $$;

-- Forget what can be counted anew.
CREATE FUNCTION whatsapp_forget_tallies() RETURNS void LANGUAGE sql AS $$
  DELETE FROM whatsapp_monitoring_app_whatsapptallychange WHERE NOT is_purged;
  DELETE FROM whatsapp_monitoring_app_whatsapptally WHERE NOT is_purged;
  DELETE FROM whatsapp_monitoring_app_whatsappfailuretally WHERE NOT is_purged;
  DELETE FROM whatsapp_monitoring_app_whatsapptimetally WHERE NOT is_purged;
  DELETE FROM whatsapp_monitoring_app_whatsappbacklog;
$$;


-- Count the messages that were created from the one moment until before the other into the tallies; how many.
CREATE FUNCTION whatsapp_count(since timestamptz, until timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  changes whatsapp_monitoring_app_whatsapptallychange[];
  counted bigint;
BEGIN
  WITH states AS (
    SELECT n.source_app, n.message_type, n.category, s.*, count(*) AS count
    FROM whatsapp_monitoring_app_whatsappnotification n, whatsapp_standing(
      n.status, n.created_at, n.held_until, n.first_attempt_at, n.sent_at, n.delivered_at, n.settled_by_id,
      n.informed_at, n.resent_as_id, n.error_class, n.error_code, n.template_id, n.sender_id) s
    WHERE n.created_at >= since AND n.created_at < until
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
  )
  SELECT array_agg(ROW(  -- in the order of the table's columns
      0, hour, source_app, false, sender, message_type, category, state, pace, is_open, failed_class, failed_code,
      failed_template, tried, accepted, delivered, count)::whatsapp_monitoring_app_whatsapptallychange),
    coalesce(sum(count), 0)
  INTO changes, counted FROM states;
  PERFORM whatsapp_add_up(changes);
  RETURN counted;
END $$;

-- What readers ask: the tallies, and what was not added up yet.
CREATE VIEW whatsapp_counts AS
  SELECT hour, source_app, sender, message_type, category, total, waiting, unconfirmed, accepted, delivered, read,
    failed, to_handle, prompt, tardy, untried
  FROM whatsapp_monitoring_app_whatsapptally
  UNION ALL
  SELECT hour, source_app, sender, message_type, category, count,
    CASE WHEN state = 'waiting' THEN count ELSE 0 END,
    CASE WHEN state = 'unconfirmed' THEN count ELSE 0 END,
    CASE WHEN state = 'sent' THEN count ELSE 0 END,
    CASE WHEN state = 'delivered' THEN count ELSE 0 END,
    CASE WHEN state = 'read' THEN count ELSE 0 END,
    CASE WHEN state = 'failed' THEN count ELSE 0 END,
    CASE WHEN is_open THEN count ELSE 0 END,
    CASE WHEN pace = 'prompt' THEN count ELSE 0 END,
    CASE WHEN pace = 'tardy' THEN count ELSE 0 END,
    CASE WHEN pace = 'untried' THEN count ELSE 0 END
  FROM whatsapp_monitoring_app_whatsapptallychange;

CREATE VIEW whatsapp_failure_counts AS
  SELECT hour, source_app, error_class, error_code, template, count
  FROM whatsapp_monitoring_app_whatsappfailuretally
  UNION ALL
  SELECT hour, source_app, error_class, error_code, template, count
  FROM whatsapp_monitoring_app_whatsapptallychange WHERE state = 'failed';

-- Either a histogram of many, or the class and the count of some.
CREATE VIEW whatsapp_times AS
  SELECT hour, source_app, measure, histogram, NULL::smallint AS class, NULL::integer AS count
  FROM whatsapp_monitoring_app_whatsapptimetally
  UNION ALL
  SELECT hour, source_app, measure, NULL, class, count
  FROM whatsapp_monitoring_app_whatsapptallychange,
    LATERAL (VALUES ('tried', tried), ('accepted', accepted), ('delivered', delivered)) AS times (measure, class)
  WHERE class IS NOT NULL;

CREATE VIEW whatsapp_backlog AS
  SELECT source_app, state, error_class, count
  FROM whatsapp_monitoring_app_whatsappbacklog
  UNION ALL
  SELECT source_app, state, error_class, count
  FROM whatsapp_monitoring_app_whatsapptallychange
  WHERE NOT is_purged AND (state IN ('waiting', 'unconfirmed') OR is_open);
