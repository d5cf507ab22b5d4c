// A program that keeps its own copy of a mailbox by imapflow's QRESYNC: it goes away, others change the mailbox, it comes back
// and hears what has changed. Argument: the port of IMAP. Prints what it believes: `mailbox<TAB>subject<TAB>flags`.
"use strict";

const assert = require("node:assert/strict");
const { ImapFlow } = require("imapflow");

const port = Number(process.argv[2]);

const text = (subject) => `From: Anna <anna@example.org>\r\nSubject: ${subject}\r\n\r\nHello.\r\n`;

const connect = async (options) => {
    const client = new ImapFlow({
        host: "127.0.0.1",
        port,
        secure: false,
        tls: { rejectUnauthorized: false },
        auth: { user: "u", pass: "p" },
        logger: false,
        ...options,
    });
    client.on("error", (error) => {
        throw error;
    });
    await client.connect();
    return client;
};

// Its copy: by UID, the subject and the flags.
const copy = new Map();
const heard = { flags: 0, gone: 0 };

const open = async (state) => {
    const client = await connect({ qresync: true });
    assert.ok(client.enabled.has("QRESYNC"));
    client.on("flags", ({ uid, flags, modseq }) => {
        assert.ok(uid > 0 && modseq > 0n, "RFC 7162 §3.2.4");
        heard.flags += 1;
        if (copy.has(uid)) copy.get(uid).flags = flags;
    });
    client.on("expunge", ({ uid, vanished }) => {
        assert.ok(vanished);
        heard.gone += copy.delete(uid) ? 1 : 0;
    });
    const mailbox = await client.mailboxOpen("INBOX", state);
    assert.equal(Boolean(mailbox.qresync), state !== undefined);
    const last = Math.max(0, ...copy.keys());
    for await (const { uid, flags, envelope } of client.fetch(`${last + 1}:*`, { uid: true, flags: true, envelope: true }, { uid: true })) {
        copy.set(uid, { subject: envelope.subject, flags });
    }
    return client;
};

(async () => {
    const other = await connect();
    for (let number = 1; number <= 30; number += 1) await other.append("INBOX", text(`s${number}`));

    let client = await open();
    assert.equal(copy.size, 30);
    let { highestModseq: changedSince, uidValidity } = client.mailbox;
    assert.ok(changedSince > 0n);
    await client.logout();

    let lock = await other.getMailboxLock("INBOX");
    await other.messageFlagsAdd("3:7", ["\\Flagged", "$Work"], { uid: true });
    await other.messageFlagsAdd("5", ["\\Seen"], { uid: true });
    await other.messageDelete("10:12,30", { uid: true });
    await other.append("INBOX", text("new"), ["\\Answered"]);
    lock.release();

    client = await open({ changedSince, uidValidity });
    assert.deepEqual(heard.gone, 4);
    assert.ok(heard.flags >= 5 && heard.flags <= 6, "what has changed, and no more");
    assert.equal(copy.size, 27);

    // While it is there: STORE under a condition, and what others expunge.
    const one = await client.fetchOne("1", { uid: true, flags: true }, { uid: true });
    assert.ok(one.modseq > 0n);
    lock = await other.getMailboxLock("INBOX");
    await other.messageFlagsAdd("1", ["\\Draft"], { uid: true });
    await client.messageFlagsSet("1:2", ["\\Seen"], { uid: true, unchangedSince: one.modseq });
    await other.messageDelete("20", { uid: true });
    lock.release();
    await client.noop();
    assert.ok(!copy.has(20) && heard.gone === 5);
    const delta = [];
    for await (const { uid } of client.fetch("1:*", { flags: true }, { uid: true, changedSince: one.modseq })) delta.push(uid);
    assert.ok(delta.includes(1), String(delta));
    await client.logout();
    await other.logout();

    for (const { subject, flags } of copy.values()) {
        const shown = [...flags].filter((flag) => flag !== "\\Recent").sort();
        console.log(["INBOX", subject, shown.join(" ")].join("\t"));
    }
})().catch((error) => {
    console.error(error, error.response);
    process.exit(1);
});
