"""Settings of property tests."""

from hypothesis import HealthCheck, settings

QUICK_PROFILE = "quick"
QUICK_SHARE, QUICK_EXAMPLES_MIN = 0.2, 10


def property_settings(examples: int, *, function_fixtures: bool = False) -> settings:
    """Return settings that run the same examples every time, without a deadline and without a database of examples.

    `--hypothesis-profile=quick` runs a fifth of the examples, for local runs. `function_fixtures` allows fixtures that
    are not reset between examples.
    """
    if settings.get_current_profile_name() == QUICK_PROFILE:
        examples = min(examples, max(QUICK_EXAMPLES_MIN, round(examples * QUICK_SHARE)))
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    if function_fixtures:
        checks.append(HealthCheck.function_scoped_fixture)
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=checks)
