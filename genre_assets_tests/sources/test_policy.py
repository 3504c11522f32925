import pytest

from genre_assets.sources.policy import excluded_by_policy

BY, BY_ND, BY_NC = (
    f"https://creativecommons.org/licenses/{elements}/4.0/" for elements in ("by", "by-nd", "by-nc")
)


def track(url, derivatives, commercial):
    return {
        "license_url": url,
        "allows_derivatives": derivatives,
        "allows_commercial_use": commercial,
    }


FREE, NO_DERIVATIVES, NOT_COMMERCIAL, UNKNOWN, NAMELESS = (
    track(BY, True, True),
    track(BY_ND, False, True),
    track(BY_NC, True, False),
    track("https://example.org/my-own-terms", None, None),
    track(None, None, None),
)


@pytest.mark.parametrize("row", [FREE, NO_DERIVATIVES, NOT_COMMERCIAL, UNKNOWN, NAMELESS])
def test_nothing_is_excluded_when_the_settings_exclude_nothing(row):
    assert excluded_by_policy(row, frozenset()) is None


@pytest.mark.parametrize(
    "excluded, row, reason",
    [
        ("nd", NO_DERIVATIVES, f"its licence {BY_ND} does not allow derivatives."),
        ("nc", NOT_COMMERCIAL, f"its licence {BY_NC} does not allow commercial use."),
        (
            "nd",
            UNKNOWN,
            "its licence https://example.org/my-own-terms is not known to allow derivatives.",
        ),
        ("nc", NAMELESS, "its unknown licence is not known to allow commercial use."),
    ],
)
def test_the_reason_names_the_licence_and_what_it_does_not_allow(excluded, row, reason):
    assert excluded_by_policy(row, frozenset({excluded})) == f"The settings exclude it: {reason}"


@pytest.mark.parametrize(
    "excluded, row", [("nd", NOT_COMMERCIAL), ("nc", NO_DERIVATIVES), ("nd", FREE), ("nc", FREE)]
)
def test_a_licence_that_allows_what_is_asked_for_is_not_excluded(excluded, row):
    assert excluded_by_policy(row, frozenset({excluded})) is None


def test_either_exclusion_is_enough():
    assert excluded_by_policy(NOT_COMMERCIAL, frozenset({"nd", "nc"})) is not None
    assert excluded_by_policy(FREE, frozenset({"nd", "nc"})) is None
