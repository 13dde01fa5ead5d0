"""Files as nobody would write them: any tree of YAML in any of its spellings, and packs with marks all over."""

import re

TEXTS = (
    "a", "no", "18:30", "amount <= 50 && x", "it's", 'say "hi"', "#x", "a #b", "a: b", "- c", "-5", "", ".5", "x,y",
    "[z]", "{q}", "&a", "*b", "!t", "%p", "@r", "`s`", "| t", "> u", "? v", ": w", "a  b", "tab\there", "ü–“”", "~",
    "long " * 40, "!(n>1)", "a\\b", "end:", "'quoted'", '"dq"', "x # y", "trail ", " lead", "two\nlines",
    "two\n\nparts\n", "  in\ndeep", "emoji 😀", "-", "--- x", "...", "=", "<<",
)  # fmt: skip
PLAIN = re.compile(r"[A-Za-z0-9](?:[\w<=&.]| (?! ))*\w")
MARK = re.compile(r"# [ctfh]\d+")


class Scribbler:
    """Writes a file by chance; every remark in it is a word of its own, so that none can get lost unseen."""

    def __init__(self, chance):
        self.chance = chance

    def remark(self, kind):
        return f"# {kind}{self.chance.randrange(10**6)}"

    def file(self):
        """Return a file of a few sections, a policy or another one."""
        text = self.chance.choice(["", "# c1\n"]) + self.chance.choice(["agentguard: 1", "top: 1"])
        for number in range(self.chance.randint(1, 5)):
            name = self.chance.choice(["names", "rules", "limits", "facts", "k"])
            text += f"{self.between(0)}\n{name}{number or ''}:{self.child(0, 0)}"
        return text + "\n" * self.chance.randrange(3)

    def child(self, depth, indent):
        value = self.value(depth + 1, indent, in_brackets=False)
        if value.startswith("\n"):
            return value
        behind = f"  {self.remark('t')}" if value and "\n" not in value and self.chance.random() < 0.15 else ""
        return " " * self.chance.choice([1, 1, 3]) + value + behind

    def value(self, depth, indent, *, in_brackets):
        kind = self.chance.random()
        if depth > 3 or kind < 0.4:
            return self.scalar(indent + self.chance.randint(1, 4), in_brackets=in_brackets)
        if in_brackets or kind < 0.55:
            return self.brackets(depth, indent)
        deeper = indent + self.chance.choice([2, 2, 3, 4])
        heads = [f"{self.key(n)}:" if kind < 0.8 else "-" for n in range(self.chance.randint(1, 4))]
        return "".join(
            f"{self.between(deeper)}\n{' ' * deeper}{head}{self.child(depth, deeper)}" for head in dict.fromkeys(heads)
        )

    def brackets(self, depth, indent):
        values = [self.value(depth + 1, indent, in_brackets=True) for _ in range(self.chance.randint(0, 3))]
        line = f"\n{' ' * (indent + 6)}"
        comma = self.chance.choice([", ", ",", f",{line}", f", {self.remark('f')}{line}"])
        if self.chance.random() < 0.5:
            return f"[{comma.join(values)}]"
        return "{" + comma.join(f"{self.key(number)}: {value}" for number, value in enumerate(values)) + "}"

    def scalar(self, indent, *, in_brackets):
        text, style = self.chance.choice(TEXTS), self.chance.randrange(6)
        if style == 0 and "\n" not in text:
            return "'" + text.replace("'", "''") + "'"
        if style == 1:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
        if style in (2, 3) and not in_brackets:
            header = self.chance.choice(["|", "|-", "|+", ">", ">-", ">+"])
            header += f"  {self.remark('h')}" if self.chance.random() < 0.15 else ""
            lines = [" " * indent + line if line else "" for line in (text.strip() or "z").split("\n")]
            return "\n".join([header, *lines]) + "\n" * self.chance.choice([0, 0, 0, 1, 2])
        return text if PLAIN.fullmatch(text) else self.chance.choice(["x", "amount <= 5", "y and z"])

    def key(self, number):
        return self.chance.choice(["k", "when", "names", "all", "say", "'q r'", '"d"', "a.b"]) + str(number)

    def between(self, indent):
        remark = f"\n{' ' * self.chance.choice([0, indent, indent + 2])}{self.remark('c')}"
        return self.chance.choice(["", "", "", "\n", remark, "\n\n\n"])


def marked(chance, text):
    """Return a file of ours with remarks, empty lines and line breaks where nobody would put them."""
    lines = text.split("\n")
    for _ in range(chance.randint(2, 10)):
        index, kind = chance.randrange(len(lines)), chance.randrange(5)
        line, mark = lines[index], chance.randrange(10**6)
        pair = re.fullmatch(r"( *)((?:- )?[\w.-]+:) ([a-z][^#\"]*)", line)
        if kind == 0:
            lines.insert(index, f"{' ' * chance.randrange(12)}# c{mark}")
        elif kind == 1 and line.strip() and "#" not in line:
            lines[index] = f"{line}{' ' * chance.randint(1, 6)}# t{mark}"
        elif kind == 2:
            lines.insert(index, " " * chance.randrange(4))
        elif kind == 3 and pair:
            deeper = " " * (len(pair[1]) + chance.randint(4, 8))
            lines[index : index + 1] = [f"{pair[1]}{pair[2]}{chance.choice(['', ' >-', ' |-'])}", deeper + pair[3]]
        elif kind == 4 and (breaks := [found.end() for found in re.finditer(r"[,\[{] ?", line)]) and "#" not in line:
            end = chance.choice(breaks)
            lines[index : index + 1] = [
                f"{line[:end]}# f{mark}" if line[:end].endswith(" ") else line[:end],
                " " * 20 + line[end:],
            ]
    return "\n".join(lines)
