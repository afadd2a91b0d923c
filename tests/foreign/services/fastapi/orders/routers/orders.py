from fastapi import APIRouter, Request

router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("/{number}")
async def order(number: int, request: Request):
    return {"number": number, "due": request.app.state.epoch.shift(days=number).isoformat()}
