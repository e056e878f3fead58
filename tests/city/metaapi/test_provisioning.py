import re
from typing import Any

import pytest

from kit.metaapi import Caller

pytestmark = pytest.mark.loopback

TRANSACTION = {"transaction-id": "a" * 32}
NEW: dict[str, Any] = {
    "name": "mine",
    "server": "ClearHarbour-Demo",
    "magic": 0,
    "region": "new-york",
    "platform": "mt5",
    "type": "cloud-g2",
    "metadata": '{"installation": "x"}',
}


async def create(caller: Caller, **fields: Any) -> Any:
    return await caller.prov("POST", "accounts", json=NEW | fields, headers=TRANSACTION)


async def created(caller: Caller, **fields: Any) -> str:
    first = await create(caller, **fields)
    assert (first.status, first.headers["Retry-After"]) == (202, "1")
    second = await create(caller, **fields)
    assert second.status == 201, second
    account = second.body["id"]
    assert isinstance(account, str)
    return account


async def test_a_draft_is_configured_by_its_link_and_deployed(caller: Caller) -> None:
    account = await created(caller)
    body = (await caller.prov("GET", f"accounts/{account}")).body
    assert (body["_id"], body["state"], body["region"]) == (account, "DRAFT", "new-york")
    assert body["metadata"] == NEW["metadata"]
    assert "login" not in body
    assert (await caller.prov("POST", f"accounts/{account}/deploy")).status == 409

    answer = await caller.prov("PUT", f"accounts/{account}/configuration-link?ttlInDays=7")
    link = answer.body["configurationLink"]
    path = link.removeprefix(caller.server.base_url)
    assert 'name="password"' in (await caller.call("GET", path)).body
    wrong = await caller.call("POST", path, data={"login": "77001", "password": "guess"})
    assert "is wrong" in wrong.body
    right = {"login": "77001", "password": "demo-password"}
    assert (await caller.call("POST", path, data=right)).status == 200
    assert (await caller.call("GET", path)).status == 404

    assert (await caller.prov("POST", f"accounts/{account}/deploy")).status == 204
    seen = []
    for _ in range(4):
        body = (await caller.prov("GET", f"accounts/{account}")).body
        seen.append((body["state"], body["connectionStatus"]))
        caller.pass_time(2)
    assert seen == [
        ("DEPLOYING", "DISCONNECTED"),
        ("DEPLOYING", "DISCONNECTED"),
        ("DEPLOYED", "DISCONNECTED"),
        ("DEPLOYED", "CONNECTED"),
    ]
    caller.account = account
    assert (await caller.get("account-information")).body["login"] == 77001


async def test_one_transaction_makes_one_account(caller: Caller) -> None:
    account = await created(caller)
    assert (await create(caller)).body["id"] == account
    listed = await caller.prov("GET", "accounts", headers={"api-version": "2"})
    assert listed.body["count"] == 2
    assert [item["_id"] for item in listed.body["items"]][1] == account
    assert len((await caller.prov("GET", "accounts?limit=1")).body) == 1


async def test_a_typed_password_connects_at_once_and_a_wrong_one_is_e_auth(caller: Caller) -> None:
    login = {"server": "ClearHarbour-Demo", "login": "88", "password": "s3cret", "terms": {}}
    login["terms"] = {"balance": 250, "leverage": 30}
    assert (await caller.control("POST", "logins", json=login)).status == 201
    await create(caller, login="88", password="wrong")
    refused = await create(caller, login="88", password="wrong")
    assert (refused.status, refused.body["details"]) == (400, {"code": "E_AUTH"})
    done = await create(caller, login="88", password="s3cret")
    caller.account = done.body["id"]
    caller.pass_time(6)
    account = (await caller.get("account-information")).body
    assert (account["balance"], account["leverage"]) == (250, 30)


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"server": "Nowhere-1"}, {"code": "E_SRV_NOT_FOUND"}),
        ({"name": ""}, None),
        ({"region": "mars"}, None),
        ({"magic": 7, "manualTrades": True}, None),
        ({"magic": "7"}, None),
        ({"metadata": "x" * 1025}, None),
    ],
)
async def test_what_cannot_be_created_is_a_400(
    caller: Caller, fields: dict[str, Any], details: Any
) -> None:
    await create(caller, **fields)
    answer = await create(caller, **fields)
    assert (answer.status, answer.body["error"]) == (400, "ValidationError")
    assert details is None or answer.body["details"] == details


async def test_a_transaction_id_of_32_characters_is_required(caller: Caller) -> None:
    answer = await caller.prov("POST", "accounts", json=NEW)
    assert answer.status == 400
    assert answer.body["details"][0]["parameter"] == "transaction-id"


async def test_states_follow_undeploy_and_delete(caller: Caller) -> None:
    path = f"accounts/{caller.account}"
    assert (await caller.prov("POST", f"{path}/undeploy")).status == 204
    assert (await caller.prov("GET", path)).body["state"] == "UNDEPLOYING"
    caller.pass_time(2)
    assert (await caller.prov("GET", path)).body["state"] == "UNDEPLOYED"
    assert (await caller.prov("POST", f"{path}/redeploy")).status == 204
    caller.pass_time(10)
    assert (await caller.prov("GET", path)).body["connectionStatus"] == "CONNECTED"
    assert (await caller.prov("DELETE", path)).status == 204
    assert (await caller.prov("GET", path)).status == 404


async def test_small_questions_are_answered(caller: Caller) -> None:
    assert (await caller.prov("GET", "regions")).body == ["new-york", "london"]
    quota = (await caller.prov("GET", "quotas")).body[0]
    assert quota["maxAccounts"] == {"quota": 100, "usageInPercents": 1}
    server = (await caller.prov("GET", "servers/mt-client-api")).body
    assert server["domain"] == "127.0.0.1"
    demo = await caller.prov(
        "POST",
        "provisioning-profiles/default/mt5-demo-accounts",
        json={"serverName": "ClearHarbour-Demo", "balance": 5000},
        headers=TRANSACTION,
    )
    assert demo.status == 201
    assert demo.body.keys() == {"login", "password", "serverName", "investorPassword"}
    account = await created(
        caller, login=demo.body["login"], password=demo.body["investorPassword"]
    )
    caller.pass_time(6)
    caller.account = account
    found = (await caller.get("account-information")).body
    assert (found["balance"], found["investorMode"]) == (5000, True)


async def test_account_tokens_may_not_provision_and_narrow_ones_see_one_account(
    caller: Caller,
) -> None:
    other = caller.server.add_account(token=caller.token)
    path = "/profile/users/current/narrow-down-auth-token?validity-in-hours=5"
    wish = {"resources": [{"entity": "account", "id": caller.account}]}
    caller.token = (await caller.call("POST", path, json=wish)).body["token"]
    assert len((await caller.prov("GET", "accounts")).body) == 1
    assert (await caller.prov("GET", f"accounts/{other}")).status == 404
    assert (await caller.get("positions")).status == 200
    assert (await caller.call("GET", "/profile/access-rule-manifest")).status == 200

    user = caller.server.world.accounts[other].user_id
    caller.server.world.add_token("flat", user_id=user, is_account_token=True)
    caller.token = "flat"
    assert (await caller.prov("GET", f"accounts/{other}")).status == 403
    assert (await caller.get("positions")).status == 200


async def test_the_quota_of_accounts_is_kept(caller: Caller) -> None:
    for _ in range(99):
        caller.server.add_account(token=caller.token)
    await create(caller)
    answer = await create(caller)
    assert (answer.status, answer.body["details"]) == (400, {"code": "E_QUOTA"})


@pytest.mark.parametrize("shape", ["code", "string", "list"])
async def test_details_come_in_three_shapes(caller: Caller, shape: str) -> None:
    caller.server.add_fault({"kind": "E_SERVER_TIMEZONE", "shape": shape}, route="create-account")
    answer = await create(caller)
    assert answer.status == 400
    assert re.search("E_SERVER_TIMEZONE", str(answer.body["details"]))


async def test_a_202_may_carry_a_date(caller: Caller) -> None:
    fault = {"kind": "202", "retry_after": 30, "as_date": True}
    caller.server.add_fault(fault, route="create-account", times=2)
    for _ in range(2):
        answer = await create(caller)
        assert answer.headers["Retry-After"] == "Mon, 02 Mar 2026 09:00:30 GMT"
