"""A gateway whose clock differs from MongoDB's is not ready, says why, and changes nothing."""

from support.servers.gateway import GatewayProcess


async def test_metric_and_readiness_of_a_right_clock(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client() as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["reasons"]) == (200, [])
        metrics = (await client.get("/metrics")).text
    skew = next(line for line in metrics.splitlines() if line.startswith("carillon_clock_skew_seconds "))
    assert abs(float(skew.split()[1])) < 1
