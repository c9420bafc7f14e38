"""The mailing of eligibility certificates (資格確認書), from the register to the letter box."""

__version__ = "0.1.0"
