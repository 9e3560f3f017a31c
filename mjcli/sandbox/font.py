"""A bitmap font of 5 by 7 dots: capitals, digits and punctuation."""

# A base 32 digit (0-9, A-V) for each of the seven rows, top to bottom; the highest bit is the left dot.
_ROWS = {
    "A": "EHHVHHH", "B": "UHHUHHU", "C": "EHGGGHE", "D": "SIHHHIS", "E": "VGGUGGV", "F": "VGGUGGG",
    "G": "EHGNHHF", "H": "HHHVHHH", "I": "E44444E", "J": "72222IC", "K": "HIKOKIH", "L": "GGGGGGV",
    "M": "HRLLHHH", "N": "HHPLJHH", "O": "EHHHHHE", "P": "UHHUGGG", "Q": "EHHHLID", "R": "UHHUKIH",
    "S": "FGGE11U", "T": "V444444", "U": "HHHHHHE", "V": "HHHHHA4", "W": "HHHLLLA", "X": "HHA4AHH",
    "Y": "HHHA444", "Z": "V1248GV", "0": "EHJLPHE", "1": "4C4444E", "2": "EH1248V", "3": "V24211U",
    "4": "26AIV22", "5": "VGU11HE", "6": "68GUHHE", "7": "V124888", "8": "EHHEHHE", "9": "EHHF12C",
    "!": "4444404", '"': "AAA0000", "#": "AAVAVAA", "$": "4FKE5U4", "%": "OP248J3", "&": "CIK8LID",
    "'": "4480000", "(": "2488842", ")": "8422248", "*": "04LELA0", "+": "044V440", ",": "0000CC4",
    "-": "000V000", ".": "00000CC", "/": "01248G0", ":": "0CC0CC0", ";": "0CC0C48", "<": "248G842",
    "=": "00V0V00", ">": "8421248", "?": "EH12404", "@": "EHNLMGF", "[": "E88888E", "\\": "0G84210",
    "]": "E22222E", "^": "4AH0000", "_": "000000V", "`": "8420000", "{": "2448442", "|": "4444444",
    "}": "8442448", "~": "008L200", " ": "0000000",
}  # fmt: skip

GLYPH_WIDTH = 6
"""Width of a character in dots, including the gap."""
GLYPH_HEIGHT = 7


def printable(text: str) -> str:
    """`text` in characters of the font: upper case, without accents, and without all others."""
    import unicodedata

    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join("".join(c if c in _ROWS else " " for c in "".join(plain).upper()).split())


def runs(text: str) -> list[list[tuple[int, int]]]:
    """The lit runs `(start, end)` of one line of `text` in each of the seven rows, in dots."""
    lines: list[list[tuple[int, int]]] = []
    for row in range(GLYPH_HEIGHT):
        dots = "".join(f"{int(_ROWS[character][row], 32):05b}0" for character in text)
        lit: list[tuple[int, int]] = []
        start = dots.find("1")
        while start >= 0:
            end = dots.find("0", start)
            lit.append((start, end))
            start = dots.find("1", end)
        lines.append(lit)
    return lines
