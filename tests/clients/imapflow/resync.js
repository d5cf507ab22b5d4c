// A client that comes back by imapflow's QRESYNC. Arguments: the port of IMAP, UIDVALIDITY, the mod-sequence and the highest
// UID that it knows. Prints octets received and sent, milliseconds, and how many messages have changed, vanished, and are new.
"use strict";

const { ImapFlow } = require("imapflow");

const [port, uidValidity, changedSince, last] = process.argv.slice(2);

(async () => {
    const client = new ImapFlow({
        host: "127.0.0.1",
        port: Number(port),
        secure: false,
        doSTARTTLS: false,
        auth: { user: "u", pass: "p" },
        logger: false,
        qresync: true,
        disableCompression: true,
    });
    client.on("error", (error) => {
        throw error;
    });
    let [changed, vanished, added] = [0, 0, 0];
    client.on("flags", () => (changed += 1));
    client.on("expunge", () => (vanished += 1));
    await client.connect();
    const before = client.stats();
    const begun = Date.now();
    await client.mailboxOpen("INBOX", { uidValidity: BigInt(uidValidity), changedSince: BigInt(changedSince) });
    for await (const { uid } of client.fetch(`${Number(last) + 1}:*`, { uid: true, flags: true }, { uid: true })) {
        added += uid > Number(last) ? 1 : 0;
    }
    const time = Date.now() - begun;
    const after = client.stats();
    await client.logout();
    console.log(after.received - before.received, after.sent - before.sent, time, changed, vanished, added);
})().catch((error) => {
    console.error(error, error.response);
    process.exit(1);
});
