"""The customer's guide as a program: its code samples, in the order in which they are printed."""

import re
from dataclasses import dataclass
from typing import Any

from tests.stack import ROOT

PATH = ROOT / "docs" / "guide" / "integration-guide.fr.md"
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Sample:
    """One block of code of the guide, exactly as printed."""

    language: str
    code: str
    line: int

    def run(self, package: str = "", **names: Any) -> dict[str, Any]:
        """Execute the sample as a module of `package` in which `names` are known; every name afterwards."""
        namespace = {"__name__": f"{package}.guide", "__package__": package, **names}
        # The line numbers of a traceback are those of the guide.
        program = compile("\n" * self.line + self.code, str(PATH), "exec")
        exec(program, namespace)  # noqa: S102 - that is the test: the guide's code works as printed
        return namespace

    @property
    def commands(self) -> list[str]:
        """A shell sample's lines without its comments."""
        return [line for line in self.code.splitlines() if line and not line.startswith("#")]


def samples(language: str) -> list[Sample]:
    text = PATH.read_text()
    found = (
        Sample(match["language"], match["code"], text.count("\n", 0, match.start("code")))
        for match in FENCE.finditer(text)
    )
    return [sample for sample in found if sample.language == language]


def sample(language: str, containing: str) -> Sample:
    """The one sample that contains this text."""
    (only,) = [each for each in samples(language) if containing in each.code]
    return only
