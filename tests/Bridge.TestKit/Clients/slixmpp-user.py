"""A user whose client is slixmpp, told what to do on standard input and telling what came on standard output.

Arguments: JID, port of the server on the loopback; the password is in XMPP_PASSWORD. One JSON object a line each way. Every
order has a number, "ask", and gets one line with the same number as "answer".
"""
import asyncio
import json
import os
import sys

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError, IqTimeout

TIMEOUT = 20


def tell(**what):
    print(json.dumps(what), flush=True)


class User(ClientXMPP):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        # Without TLS, on the loopback.
        self["feature_mechanisms"].unencrypted_plain = True
        for plugin in ("xep_0030", "xep_0199", "xep_0092", "xep_0012"):
            self.register_plugin(plugin)
        self.auto_authorize = None
        self.auto_subscribe = False
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("failed_auth", lambda _: tell(saw="refused"))
        self.add_event_handler("message", self.on_message)
        self.add_event_handler("message_error", self.on_message)
        for presence in ("presence_subscribed", "presence_unsubscribed", "presence_available"):
            self.add_event_handler(presence, self.on_presence)

    async def begin(self, _):
        self.send_presence()
        await self.get_roster()
        tell(saw="session")

    def on_message(self, message):
        tell(saw="message", id=message["id"], type=message["type"], body=message["body"], **{"from": str(message["from"])},
             condition=message["error"]["condition"] if message["type"] == "error" else None,
             errorType=message["error"]["type"] if message["type"] == "error" else None)

    def on_presence(self, presence):
        tell(saw="presence", type=presence["type"], **{"from": str(presence["from"])})

    async def obey(self, order):
        try:
            answer = await getattr(self, "do_" + order["do"])(order["to"], order) or {}
        except IqError as error:
            answer = {"error": error.condition, "errorType": error.etype}
        except IqTimeout:
            answer = {"error": "no answer"}
        tell(answer=order["ask"], **answer)

    async def do_message(self, to, order):
        message = self.make_message(mto=to, mbody=order["body"], msubject=order.get("subject"), mtype=order.get("type", "chat"))
        message["id"] = order["id"]
        message.send()

    async def do_subscribe(self, to, _):
        self.send_presence_subscription(pto=to)

    async def do_request(self, to, order):
        request = self.make_iq_get(queryxmlns=order["namespace"], ito=to)
        result = await request.send(timeout=TIMEOUT)
        return {"xml": str(result)}

    async def do_ping(self, to, _):
        return {"seconds": await self["xep_0199"].ping(to, timeout=TIMEOUT)}

    async def do_info(self, to, _):
        info = (await self["xep_0030"].get_info(jid=to, timeout=TIMEOUT))["disco_info"]
        return {
            "features": sorted(info["features"]),
            "identities": [[category, kind, name] for category, kind, _, name in info["identities"]],
        }

    async def do_items(self, to, _):
        items = (await self["xep_0030"].get_items(jid=to, timeout=TIMEOUT))["disco_items"]["items"]
        return {"items": [str(item) for item in items]}

    async def do_version(self, to, _):
        version = (await self["xep_0092"].get_version(to, timeout=TIMEOUT))["software_version"]
        return {"name": version["name"], "version": version["version"]}

    async def do_last(self, to, _):
        return {"seconds": (await self["xep_0012"].get_last_activity(to, timeout=TIMEOUT))["last_activity"]["seconds"]}


async def orders(user):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    under_way = set()
    while line := await reader.readline():
        task = asyncio.ensure_future(user.obey(json.loads(line)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    loop.stop()


def main():
    user = User(sys.argv[1], os.environ["XMPP_PASSWORD"])
    user.connect(address=("127.0.0.1", int(sys.argv[2])), use_ssl=False, force_starttls=False, disable_starttls=True)
    # The loop alone would not keep it.
    obeying = asyncio.ensure_future(orders(user), loop=user.loop)
    user.loop.run_forever()
    obeying.cancel()


main()
