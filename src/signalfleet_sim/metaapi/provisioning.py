"""The provisioning and profile hosts: accounts are listed, added, configured and deployed."""

import hashlib
import html
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from signalfleet_sim.metaapi.accounts import Login, SimAccount
from signalfleet_sim.metaapi.calls import Call
from signalfleet_sim.metaapi.errors import ApiError, invalid, reply
from signalfleet_sim.metaapi.mischief import refused_account
from signalfleet_sim.metaapi.wire import iso_of
from signalfleet_sim.metaapi.world import REGIONS, World

_TRANSACTION: Final = re.compile(r"[A-Za-z0-9]{32}")
_MOST_METADATA: Final = 1024
_VALIDITY_HOURS: Final = 24
"""Default of docs/tokenManagementApi.md in metaapi-javascript-sdk."""
_DETECTING: Final = {"message": "Automatic broker settings detection is in progress"}
_APPLICATIONS: Final = ("trading-account-management-api", "metaapi-rest-api", "metaapi-api")


class Provisioning:
    def __init__(self, world: World) -> None:
        self._world = world
        self._detections: dict[tuple[str, str], int] = {}
        self._created: dict[tuple[str, str], str] = {}
        self._links: dict[str, SimAccount] = {}

    async def list_accounts(self, call: Call) -> web.Response:
        query, token, now = call.request.query, call.token, self._world.now()
        found = [
            account
            for account in self._world.accounts.values()
            if account.user_id == token.user_id
            and (token.only is None or account.account_id in token.only)
            and query.get("state") in {None, account.life.state(now)}
            and query.get("region") in {None, account.region}
            and query.get("query", "") in account.name
        ]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 1000))
        items = [self.account_body(account) for account in found[offset : offset + limit]]
        if call.request.headers.get("api-version") == "2":
            return reply({"count": len(found), "items": items})
        return reply(items)

    async def get_account(self, call: Call) -> web.Response:
        return reply(self.account_body(call.account))

    async def create_account(self, call: Call) -> web.Response:
        body = await call.body()
        transaction = call.request.headers.get("transaction-id", "")
        if not _TRANSACTION.fullmatch(transaction):
            raise invalid("transaction-id", transaction, "Must be 32 letters and digits")
        key = (call.token.user_id, transaction)
        if key in self._created:
            return self._created_reply(self._created[key])
        self._check_body(body)
        seen = self._detections.get(key, 0)
        if seen < self._world.habits.detections:
            self._detections[key] = seen + 1
            return reply(_DETECTING, 202, {"Retry-After": "1"})
        account = self._add(call, body)
        self._created[key] = account.account_id
        return self._created_reply(account.account_id)

    async def update_account(self, call: Call) -> web.Response:
        body, account = await call.body(), call.account
        self._describe(account, body)
        return web.Response(status=204)

    async def delete_account(self, call: Call) -> web.Response:
        self._world.remove_account(call.account)
        return web.Response(status=204)

    async def deploy(self, call: Call) -> web.Response:
        now = self._world.now()
        if call.account.life.state(now) == "DRAFT":
            raise ApiError(409, "The account is a draft: it has no login and password yet")
        call.account.life.deploy(now)
        return web.Response(status=204)

    async def undeploy(self, call: Call) -> web.Response:
        call.account.life.undeploy(self._world.now())
        return web.Response(status=204)

    async def redeploy(self, call: Call) -> web.Response:
        call.account.life.redeploy(self._world.now())
        return web.Response(status=204)

    async def configuration_link(self, call: Call) -> web.Response:
        secret = f"{self._world.rng.getrandbits(160):040x}"
        self._links[secret] = call.account
        request = call.request
        base = request.path.split("/users/", 1)[0]
        link = f"{request.scheme}://{request.host}{base}/configure/{secret}"
        return reply({"configurationLink": link})

    async def regions(self, _: Call) -> web.Response:
        return reply(list(REGIONS))

    async def quotas(self, call: Call) -> web.Response:
        most = self._world.habits.account_quota
        used = {
            region: sum(
                account.user_id == call.token.user_id and account.region == region
                for account in self._world.accounts.values()
            )
            for region in REGIONS
        }
        return reply(
            [
                {
                    "region": region,
                    "maxAccounts": {"quota": most, "usageInPercents": 100 * count // most},
                    "maxDeployedG2Accounts": {
                        "quota": most,
                        "usageInPercents": 100 * count // most,
                    },
                }
                for region, count in used.items()
            ]
        )

    async def client_server(self, call: Call) -> web.Response:
        domain = self._world.habits.domain
        hostname = f"mt-client-api-v1.{domain}"
        return reply({"hostname": hostname, "domain": domain, "url": f"http://{call.request.host}"})

    async def demo_account(self, call: Call) -> web.Response:
        body = await call.body()
        server = body.get("serverName")
        if self._world.broker_at(str(server)) is None:
            raise refused_account("E_SRV_NOT_FOUND")
        login = str(self._world.next_login())
        password, investor = (f"{self._world.rng.getrandbits(48):012x}" for _ in range(2))
        terms = {
            "balance": Decimal(str(body.get("balance", 10_000))),
            "leverage": int(body.get("leverage", 100)),
        }
        self._world.logins[str(server), login] = Login(
            password=password, investor_password=investor, terms=terms
        )
        made = {"login": login, "password": password, "investorPassword": investor}
        return reply(made | {"serverName": server}, 201)

    async def narrow_token(self, call: Call) -> web.Response:
        body = await call.body()
        resources = body.get("resources") or []
        wanted = {str(one.get("id")) for one in resources if one.get("entity") == "account"}
        only = frozenset(wanted) if resources else call.token.only
        token = f"narrow.{self._world.rng.getrandbits(128):032x}.sim"
        kept = self._world.add_token(token, user_id=call.token.user_id, only=only)
        hours = float(call.request.query.get("validity-in-hours", _VALIDITY_HOURS))
        kept.valid_until = self._world.now() + 3600 * hours
        return reply({"token": token})

    async def manifest(self, _: Call) -> web.Response:
        return reply(
            [
                {
                    "id": application,
                    "application": application,
                    "description": application.replace("-", " "),
                    "entities": [{"entity": "account", "idDescription": "account id"}],
                    "services": [{"service": "rest", "description": "REST API"}],
                    "methodGroups": [],
                    "roles": [{"role": "reader"}, {"role": "writer"}],
                }
                for application in _APPLICATIONS
            ]
        )

    async def show_form(self, request: web.Request) -> web.Response:
        """Show what the user's browser gets behind a configuration link."""
        account = self._links.get(request.match_info["secret"])
        if account is None:
            return web.Response(text="This link is not valid any more", status=404)
        return _form(account, "")

    async def take_form(self, request: web.Request) -> web.Response:
        account = self._links.get(request.match_info["secret"])
        if account is None:
            return web.Response(text="This link is not valid any more", status=404)
        form = await request.post()
        login, password = str(form.get("login", "")), str(form.get("password", ""))
        known = self._world.find_login(account.broker.profile.server, login, password)
        if known is None:
            return _form(account, "The login or the password is wrong")
        self._world.configure(account, login, known, password)
        account.life.configured()
        del self._links[request.match_info["secret"]]
        return web.Response(
            text="<p>Done: go back to the application.</p>", content_type="text/html"
        )

    def account_body(self, account: SimAccount) -> dict[str, Any]:
        now, extras = self._world.now(), account.extras
        state = account.life.state(now)
        digest = hashlib.blake2b(account.account_id.encode(), digest_size=4).digest()
        body = {
            "_id": account.account_id,
            "name": account.name,
            "server": account.broker.profile.server,
            "type": "cloud-g2",
            "version": 5,
            "region": account.region,
            "state": state,
            "connectionStatus": account.life.connection(now),
            "magic": account.magic,
            "reliability": extras.get("reliability", "high"),
            "tags": extras.get("tags", []),
            "metadata": extras.get("metadata"),
            "resourceSlots": 1,
            "copyFactoryResourceSlots": 1,
            "manualTrades": account.has_manual_trades,
            "hash": int.from_bytes(digest, "big"),
            "baseCurrency": "USD",
            "connections": [
                {"region": account.region, "zone": "vint-hill-a", "application": "MetaApi"}
            ]
            if state == "DEPLOYED"
            else [],
            "primaryReplica": True,
            "userId": account.user_id,
            "accountReplicas": [],
            "quoteStreamingIntervalInSeconds": extras.get("quoteStreamingIntervalInSeconds", 2.5),
            "createdAt": iso_of(account.created_at),
        }
        if account.login:
            body["login"] = account.login
        return body

    def _created_reply(self, account_id: str) -> web.Response:
        account = self._world.accounts.get(account_id)
        if account is None:
            raise ApiError(404, "Trading account not found")
        return reply({"id": account_id, "state": account.life.state(self._world.now())}, 201)

    def _check_body(self, body: Mapping[str, Any]) -> None:
        for name in ("name", "server", "region"):
            if not isinstance(body.get(name), str) or not body[name]:
                raise invalid(name, body.get(name), "Required value")
        magic = body.get("magic")
        if not isinstance(magic, Decimal) or magic < 0:
            raise invalid("magic", magic, "Required value")
        if body.get("manualTrades") and magic:
            raise invalid("magic", int(magic), "Must be 0 for an account with manual trades")
        if body["region"] not in REGIONS:
            raise invalid("region", body["region"], "Unknown region")
        if len(str(body.get("metadata") or "")) > _MOST_METADATA:
            raise invalid("metadata", "", f"At most {_MOST_METADATA} characters")

    def _add(self, call: Call, body: Mapping[str, Any]) -> SimAccount:
        world, user_id = self._world, call.token.user_id
        broker = world.broker_at(str(body["server"]))
        if broker is None:
            raise refused_account("E_SRV_NOT_FOUND")
        if world.count_of.get(user_id, 0) >= world.habits.account_quota:
            raise ApiError(400, "Account quota exceeded", details={"code": "E_QUOTA"})
        login, password = body.get("login"), body.get("password")
        known = None
        if login and password:
            known = world.find_login(str(body["server"]), str(login), str(password))
            if known is None:
                raise refused_account("E_AUTH")
        account = world.add_draft(user_id=user_id, broker=broker, region=str(body["region"]))
        self._describe(account, body)
        account.magic = int(body["magic"])
        if known is not None:
            world.configure(account, str(login), known, str(password))
            account.life.configured()
            account.life.deploy(world.now())
        return account

    def _describe(self, account: SimAccount, body: Mapping[str, Any]) -> None:
        account.name = str(body.get("name", account.name))
        account.has_manual_trades = bool(body.get("manualTrades", account.has_manual_trades))
        kept = ("tags", "metadata", "reliability", "quoteStreamingIntervalInSeconds")
        account.extras |= {name: body[name] for name in kept if name in body}


def _form(account: SimAccount, problem: str) -> web.Response:
    server = html.escape(account.broker.profile.server)
    note = f"<p role=alert>{html.escape(problem)}</p>" if problem else ""
    text = (
        "<!doctype html><title>Connect your trading account</title>"
        f"<h1>Connect your account at {server}</h1>{note}"
        '<form method="post"><label>Login <input name="login" required></label>'
        '<label>Password <input name="password" type="password" required></label>'
        "<button>Connect</button></form>"
    )
    return web.Response(text=text, content_type="text/html", status=400 if problem else 200)
