"""Let an iteration that waits for people go on with the answers that it has."""

from __future__ import annotations

from activesynth.domain.platform import Platform
from activesynth.errors import ConflictError


def finish_questions(campaign: str, person: str, platform: Platform) -> int:
    """Close the questions of a campaign's waiting iteration; return how many have no answer.

    Pool rows among those stay in the pool, and synthetic samples count as the screen left them.

    Raises:
        ConfigurationError: If there is no such campaign.
        ConflictError: If no iteration of it waits for answers.
    """
    platform.lineage.campaign(campaign)
    for record in platform.lineage.last_iterations():
        if record.ref.campaign == campaign and record.state == "waiting":
            missing = platform.queue.progress(campaign).open
            platform.queue.close(record.ref, "person", person)
            return missing
    raise ConflictError(
        f"no iteration of campaign {campaign!r} waits for answers now, so there is nothing to "
        f"finish; `activesynth show iterations {campaign}` lists what was committed.",
        reason="nothing_waits",
        field="campaign",
    )
