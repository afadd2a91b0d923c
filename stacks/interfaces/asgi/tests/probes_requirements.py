from fastapi import Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient
