"""Questions that a person answers, where there is one."""

from __future__ import annotations

import sys

import typer

from ledgerline.errors import UsageError

_INTERRUPTED = 130


def ask(
    question: str, *, otherwise: str, default: str | None = None, secret: bool = False, new: bool = False
) -> str:
    """What is typed in; of a `new` secret twice, as nobody sees a slip.

    Raises UsageError with `otherwise`, what to do instead, where input ends without an answer.
    """
    at_terminal = sys.stdin.isatty()
    try:
        # Unseen only where it could be seen: what hides it would complain of a pipe.
        answer: str = typer.prompt(
            question,
            default=default,
            hide_input=secret and at_terminal,
            confirmation_prompt=new and at_terminal,
        )
    except typer.Abort:
        if at_terminal:
            raise typer.Exit(_INTERRUPTED) from None
        raise UsageError(f"Nobody answers: {question}.", hint=otherwise) from None
    return answer
