"""What a person reads at the terminal, in Japanese and in English side by side.

The language is that of the environment, as gettext reads it: LC_ALL, else LC_MESSAGES, else LANG; `ja…` is Japanese and
anything else English. No catalogue in files: a sentence stands where it is said, with both its texts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_forced: ContextVar[bool] = ContextVar("forced", default=False)


@contextmanager
def in_japanese() -> Iterator[None]:
    """Japanese whatever the environment says: for what is read in a page, where servers seldom have a language."""
    token = _forced.set(True)
    try:
        yield
    finally:
        _forced.reset(token)


def is_japanese() -> bool:
    """Whether Japanese is asked for, by the environment or by `in_japanese`."""
    if _forced.get():
        return True
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return value.lower().startswith("ja")
    return False


def t(ja: str, en: str) -> str:
    """The text in the language of the environment."""
    return ja if is_japanese() else en


class TwoLanguageError(ValueError):
    """A refusal told in both languages. `str()` is in the environment's; the Airflow page shows `ja`."""

    def __init__(self, ja: str, en: str) -> None:
        super().__init__(en)
        self.ja = ja
        self.en = en

    def __str__(self) -> str:
        """The text in the language of the environment."""
        return t(self.ja, self.en)


# What a refusal of the package is about, by the name of its class. The sentence that follows is the refusal's own,
# in English: which file, which rule, how many, what to do.
HEADLINES: dict[str, tuple[str, str]] = {
    "AcceptanceError": ("受入試験を続けられません", "The acceptance cannot go on"),
    "AnswerError": ("再現の中の質問に答えられません", "A question of the replay could not be answered"),
    "AnswersRefusedError": ("受け入れなかった報告があります", "Answers of the printer were refused"),
    "CorruptFactError": ("事実が壊れているか、変えられています", "A fact is damaged or was changed"),
    "DeliveryError": ("警報を届けられません", "An alert could not be brought to people"),
    "NothingPublishedError": ("まだ公開された写しがありません", "Nothing is published yet"),
    "OutsideError": ("代役の世界に問題があります", "The stand-in world refuses"),
    "ApprovalError": ("承認として数えられません", "The approval does not count"),
    "BackupError": ("バックアップまたは復元ができません", "The backup or restore cannot go on"),
    "BenchError": ("計測できません", "Nothing is measured"),
    "CampaignError": ("年度の設定 (campaign) が正しくありません", "The campaign file does not hold together"),
    "ContractError": ("授受仕様に合いません", "Not as the contract has it"),
    "FactConflictError": ("事実はすでに取り込まれています", "The fact has landed already"),
    "FeedError": ("受け取ったファイルを取り込めません", "A received file is refused"),
    "FeedConflictError": ("同じ名前で内容の違うファイルです", "The same file name with other content"),
    "GateError": ("検査を通りませんでした", "The gate did not pass"),
    "HostKeyError": ("接続先のホスト鍵が登録と違います", "The host key is not the pinned one"),
    "InboundError": ("受け取ったものを取り込めません", "A delivery is refused"),
    "InstallationError": ("準備ができません", "The installation cannot be set up"),
    "LotFileError": ("ロットのファイルに問題があります", "Something is wrong with a lot's file"),
    "PageError": ("画面 (Airflow) が応じません", "The page does not answer"),
    "PartError": ("計測が途中で止まりました", "The measurement stopped"),
    "PlanError": ("計画を作れません", "The plan cannot be made"),
    "RebuildError": ("ロットを作り直せません", "The lot cannot be made again"),
    "RegisterDropError": ("加入者データを取り込めません", "A register drop is refused"),
    "RegisterConflictError": ("その日の加入者データは別の内容で届いています", "There is another register of that day"),
    "ReplayError": ("再現が途中で止まりました", "The replay stopped"),
    "SandboxError": ("代役 (sandbox) に問題があります", "The sandbox refuses"),
    "SealError": ("暗号化・署名・復号ができません", "Sealing or opening failed"),
    "SeasonError": ("年度の再現が止まりました", "The season stopped"),
    "SeasonOpenError": ("年度を締められません", "The season cannot be closed"),
    "SigningKeyError": ("事実に署名する鍵に問題があります", "Something is wrong with the key that signs facts"),
    "SyntheticRegisterError": ("合成データを作れません", "The synthetic register cannot be made"),
    "TransferError": ("送受信ができません", "The transfer failed"),
    "TransformError": ("集計 (dbt) が失敗しました", "A dbt model or test failed"),
    "UnprintableTextError": ("印字できない文字があります", "Text that cannot be printed"),
}
STOPPED = ("中止しました", "Stopped")

# Faults of the surroundings, by the name of the class: what happened and what to do.
SURROUNDINGS: dict[str, tuple[str, str]] = {
    "FileNotFoundError": (
        "ファイルまたはフォルダがありません: {file}。--data などの指定を確かめてください",
        "There is no such file or folder: {file}. Check --data and the other paths",
    ),
    "NotADirectoryError": ("フォルダではありません: {file}", "Not a folder: {file}"),
    "IsADirectoryError": ("ファイルではなくフォルダです: {file}", "A folder, not a file: {file}"),
    "FileExistsError": ("すでにあります: {file}", "There already: {file}"),
    "PermissionError": (
        "読み書きする権限がありません: {file}。所有者 (0700) を確かめてください",
        "No permission for {file}. Its folder belongs to its owner alone (0700)",
    ),
    "OSError": ("ファイルの読み書きに失敗しました: {file} ({what})", "Reading or writing failed: {file} ({what})"),
    "IOException": (
        "データベースを開けません。まだ公開されていないか、別の処理が書き込み中です",
        "The database cannot be opened: nothing is published yet, or another process writes it",
    ),
    "CatalogException": (
        "公開された写しに必要な表がありません。publish_for_analysts をもう一度実行してください",
        "The published copy lacks a table. Run publish_for_analysts again",
    ),
}


def describe(error: BaseException) -> str | None:
    """One message for a refusal of the package or a fault of the surroundings; None for a mistake in the program."""
    kind = type(error)
    if isinstance(error, TwoLanguageError):
        return str(error)
    if kind.__module__.startswith("kakuninsho."):
        names = [ancestor.__name__ for ancestor in kind.__mro__]
        headline = next((HEADLINES[name] for name in names if name in HEADLINES), STOPPED)
        return f"{t(*headline)}: {error}"
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        text = SURROUNDINGS.get(kind.__name__, SURROUNDINGS["OSError"])
        return t(*text).format(file=error.filename or "-", what=error.strerror or kind.__name__)
    if kind.__module__ in {"duckdb", "_duckdb"} and kind.__name__ in SURROUNDINGS:
        return t(*SURROUNDINGS[kind.__name__])
    return None
