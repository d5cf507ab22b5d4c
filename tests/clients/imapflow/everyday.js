// What a program that uses imapflow does in a day. Arguments: the ports of IMAP and IMAPS.
// Prints, for each mailbox, what it believes lies there: `mailbox<TAB>subject<TAB>flags`.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { ImapFlow } = require("imapflow");

const [plain, secure] = process.argv.slice(2).map(Number);

const connect = async (options) => {
    const client = new ImapFlow({
        host: "127.0.0.1",
        port: secure,
        secure: true,
        tls: { rejectUnauthorized: false },
        auth: { user: "u", pass: "p" },
        logger: false,
        clientInfo: { name: "imapflow", vendor: "tests" },
        ...options,
    });
    client.on("error", (error) => {
        throw error;
    });
    await client.connect();
    return client;
};

const text = (subject, body = "Hello.") =>
    `From: Anna <anna@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: ${subject}\r\n` +
    `Message-ID: <${subject}@example.org>\r\n\r\n${body}\r\n`;

const mixed =
    "From: anna@example.org\r\nSubject: mixed\r\nMIME-Version: 1.0\r\n" +
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' +
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n" +
    '--b\r\nContent-Type: application/octet-stream; name="a.bin"\r\n' +
    'Content-Disposition: attachment; filename="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n';

const collect = async (stream) => {
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces);
};

(async () => {
    const client = await connect();
    await client.mailboxCreate("Sent");
    await client.mailboxCreate(["Entwürfe", "日本"]);
    const renamed = await client.mailboxRename(["Entwürfe", "日本"], ["Entwürfe", "台北"]);
    assert.equal(renamed.newPath, "Entwürfe.台北");
    await client.mailboxSubscribe("Sent");
    const list = await client.list({ statusQuery: { messages: true, uidNext: true, unseen: true } });
    const paths = list.map((entry) => entry.path).sort();
    assert.deepEqual(paths, ["Entwürfe.台北", "INBOX", "Sent", "Entwürfe"].filter((path) => paths.includes(path)).sort());
    assert.equal(list.find((entry) => entry.path === "INBOX").specialUse, "\\Inbox");
    assert.ok(list.find((entry) => entry.path === "Sent").subscribed);
    assert.equal(list.find((entry) => entry.path === "Sent").status.messages, 0);

    const when = new Date("2021-02-03T04:05:06Z");
    for (const subject of ["one", "two", "three", "four", "five"]) {
        const added = await client.append("INBOX", text(subject), subject === "one" ? ["\\Seen", "$Forwarded"] : [], when);
        assert.equal(added.destination, "INBOX");
        assert.ok(added.uid > 0);
    }
    await client.append("INBOX", mixed);
    await client.append("Sent", text("sent"), ["\\Seen"]);

    let lock = await client.getMailboxLock("INBOX");
    assert.equal(client.mailbox.exists, 6);
    const one = await client.fetchOne("1", {
        uid: true, flags: true, envelope: true, internalDate: true, size: true, bodyStructure: true,
        source: true, headers: ["subject", "message-id"], threadId: true,
    });
    assert.equal(one.source.toString(), text("one"));
    assert.equal(one.envelope.subject, "one");
    assert.equal(one.envelope.from[0].address, "anna@example.org");
    assert.equal(one.internalDate.getTime(), when.getTime());
    assert.equal(one.size, text("one").length);
    assert.deepEqual([...one.flags].filter((flag) => flag !== "\\Recent").sort(), ["$Forwarded", "\\Seen"]);
    assert.equal(one.headers.toString(), "Subject: one\r\nMessage-ID: <one@example.org>\r\n\r\n");

    const six = await client.fetchOne("*", { bodyStructure: true });
    assert.deepEqual(six.bodyStructure.childNodes.map((part) => part.type), ["text/plain", "application/octet-stream"]);
    const { meta, content } = await client.download("6", "2");
    assert.equal(meta.filename, "a.bin");
    assert.deepEqual(await collect(content), Buffer.from([0, 1, 2, 3, 4]));
    assert.equal((await collect((await client.download("6", "1")).content)).toString(), "Grüße");

    assert.deepEqual(await client.search({ seen: true }), [1]);
    assert.deepEqual(await client.search({ subject: "three" }, { uid: true }), [3]);
    assert.deepEqual(await client.search({ or: [{ subject: "two" }, { body: "Grüße" }] }), [2, 6]);
    assert.deepEqual(await client.search({ since: new Date("2021-02-04"), not: { seen: true } }), [6]);
    assert.deepEqual(await client.search({ header: { "message-id": "<four@example.org>" } }), [4]);

    await client.messageFlagsAdd("2", ["\\Flagged", "Wichtig"]);
    await client.messageFlagsRemove("1", ["\\Seen"]);
    await client.messageFlagsSet({ uid: "3" }, ["\\Answered"]);
    const copied = await client.messageCopy("1:2", "Sent");
    assert.deepEqual([...copied.uidMap], [[1, 2], [2, 3]]);
    const moved = await client.messageMove("4", ["Entwürfe", "台北"], { uid: true });
    assert.deepEqual([...moved.uidMap], [[4, 1]]);
    await client.messageDelete("5", { uid: true });
    assert.deepEqual(await client.search({ all: true }, { uid: true }), [1, 2, 3, 6]);
    lock.release();

    // While it idles, another connection brings a message, flags one and removes one.
    lock = await client.getMailboxLock("INBOX");
    const other = await connect({ port: plain, secure: false });
    assert.ok(other.secureConnection, "STARTTLS");
    const idle = client.idle();
    let news = once(client, "exists");
    await other.append("INBOX", text("six"));
    assert.equal((await news)[0].count, 5);
    const otherLock = await other.getMailboxLock("INBOX");
    news = once(client, "flags");
    await other.messageFlagsAdd("1", ["\\Flagged"]);
    const [{ seq, flags }] = await news;
    assert.equal(seq, 1);
    assert.ok(flags.has("\\Flagged"));
    news = once(client, "expunge");
    await other.messageDelete("2");
    assert.equal((await news)[0].seq, 2);
    otherLock.release();
    await other.logout();
    await client.noop();
    await idle;
    assert.equal(client.mailbox.exists, 4);
    lock.release();

    const status = await client.status("Sent", { messages: true, unseen: true, uidNext: true, uidValidity: true });
    assert.equal(status.messages, 3);
    for (const path of ["INBOX", "Sent", "Entwürfe.台北"]) {
        lock = await client.getMailboxLock(path, { readOnly: true });
        for await (const message of client.fetch("1:*", { envelope: true, flags: true })) {
            const flags = [...message.flags].filter((flag) => flag !== "\\Recent").sort();
            console.log([path, message.envelope.subject, flags.join(" ")].join("\t"));
        }
        lock.release();
    }
    await client.mailboxCreate("Passing");
    await client.mailboxDelete("Passing");
    await client.logout();
})().catch((error) => {
    console.error(error, error.response);
    process.exit(1);
});
