"""`/health`: whether this process can serve, for a load balancer. It says nothing else."""

from fastapi import APIRouter, Response

from gateway.api.access import HubDep

routes = APIRouter(tags=["health"])


@routes.get("/health", summary="Whether this process can serve", status_code=204)
def health(hub: HubDep) -> Response:
    """204 when the database answers."""
    with hub.db.transaction() as conn:
        conn.exec_driver_sql("SELECT 1")
    return Response(status_code=204)
