import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { DroverError, type ErrorCode } from "#model/errors.ts";
import { extractArchive } from "./extract.ts";

/** Archives as nobody honest makes them, one for each class. Made here, so that nothing foreign lies in the repository. */

const { signal } = new AbortController();
const limits = { archiveBytes: 8 * 2 ** 20, contentBytes: 4 * 2 ** 20, files: 1_000 };

interface Entry {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly link?: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  /** What the header says, where that is not the truth. */
  readonly size?: string;
}

function entry({ name, type = "0", link = "", content = "", mode = 0o644, size }: Entry): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  Buffer.from(name).copy(header, 0, 0, 100);
  header.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
  header.write(size ?? `${body.length.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write("ustar\x0000", 257);
  return Buffer.concat([sealed(header), body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function sealed(header: Buffer): Buffer {
  header.fill(" ", 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

function pax(records: Readonly<Record<string, string>>, type = "x"): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (rest + String(length).length !== length) length = rest + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return entry({ name: "pax", type, content: lines.join("") });
}

const end = Buffer.alloc(1_024);
const tar = (...parts: readonly (Entry | Buffer)[]) =>
  Buffer.concat([...parts.map((part) => (Buffer.isBuffer(part) ? part : entry(part))), end]);

async function unpack(t: TestContext, archive: Buffer | Readable): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "drover-archive-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, "inside");
  await mkdir(folder);
  try {
    await extractArchive(Buffer.isBuffer(archive) ? Readable.from([archive]) : archive, folder, limits, signal);
  } finally {
    assert.deepEqual(await readdir(parent), ["inside"], "nothing was written outside of the folder");
  }
  return folder;
}

const hostile: readonly { readonly what: string; readonly archive: Buffer; readonly code: ErrorCode; readonly says: RegExp }[] = [
  { what: "a path with ..", archive: tar({ name: "../evil" }), code: "ARCHIVE_UNSAFE", says: /"\.\.\/evil" has a path with "\.\."/ },
  { what: "a path with .. in its middle", archive: tar({ name: "a/../../evil" }), code: "ARCHIVE_UNSAFE", says: /\.\./ },
  { what: "an absolute path", archive: tar({ name: "/tmp/evil" }), code: "ARCHIVE_UNSAFE", says: /absolute/ },
  {
    what: "an absolute path in an extended header",
    archive: tar(pax({ path: "/tmp/evil" }), { name: "a" }),
    code: "ARCHIVE_UNSAFE",
    says: /absolute/,
  },
  {
    what: ".. in a GNU long name",
    archive: tar({ name: "x", type: "L", content: "../evil\0" }, { name: "a" }),
    code: "ARCHIVE_UNSAFE",
    says: /\.\./,
  },
  {
    what: "a link to an absolute path",
    archive: tar({ name: "a", type: "2", link: "/etc/passwd" }),
    code: "ARCHIVE_UNSAFE",
    says: /outside/,
  },
  { what: "a link that climbs out", archive: tar({ name: "d/a", type: "2", link: "../../etc" }), code: "ARCHIVE_UNSAFE", says: /outside/ },
  {
    what: "a link that climbs out through another link",
    archive: tar({ name: "x/y/z", content: "" }, { name: "up", type: "2", link: "x/y" }, { name: "out", type: "2", link: "up/../../.." }),
    code: "ARCHIVE_UNSAFE",
    says: /outside/,
  },
  {
    what: "links in a circle",
    archive: tar({ name: "a", type: "2", link: "b" }, { name: "b", type: "2", link: "a" }),
    code: "ARCHIVE_UNSAFE",
    says: /circle/,
  },
  {
    what: "a file written through a link",
    archive: tar({ name: "dir", type: "2", link: "." }, { name: "dir/file", content: "x" }),
    code: "ARCHIVE_UNSAFE",
    says: /through the link/,
  },
  {
    what: "a file in place of a link",
    archive: tar({ name: "a", type: "2", link: "b" }, { name: "a", content: "x" }),
    code: "ARCHIVE_UNSAFE",
    says: /twice/,
  },
  {
    what: "a link in place of a folder",
    archive: tar({ name: "d/", type: "5" }, { name: "d", type: "2", link: "." }),
    code: "ARCHIVE_UNSAFE",
    says: /twice/,
  },
  {
    what: "a hard link to outside",
    archive: tar({ name: "a", type: "1", link: "../../etc/passwd" }),
    code: "ARCHIVE_UNSAFE",
    says: /\.\./,
  },
  {
    what: "a hard link to what is not in it",
    archive: tar({ name: "a", type: "1", link: "b" }),
    code: "ARCHIVE_UNSAFE",
    says: /hard link/,
  },
  {
    what: "a hard link to a link",
    archive: tar({ name: "a", type: "2", link: "b" }, { name: "c", type: "1", link: "a" }),
    code: "ARCHIVE_UNSAFE",
    says: /hard link/,
  },
  { what: "a character device", archive: tar({ name: "null", type: "3" }), code: "ARCHIVE_UNSAFE", says: /device/ },
  { what: "a block device", archive: tar({ name: "sda", type: "4" }), code: "ARCHIVE_UNSAFE", says: /device/ },
  { what: "a FIFO", archive: tar({ name: "pipe", type: "6" }), code: "ARCHIVE_UNSAFE", says: /FIFO/ },
  { what: "an unknown kind of entry", archive: tar({ name: "a", type: "Z" }), code: "ARCHIVE_UNSAFE", says: /unknown kind "Z"/ },
  { what: "a GNU sparse file", archive: tar({ name: "a", type: "S" }), code: "ARCHIVE_UNSAFE", says: /unknown kind "S"/ },
  {
    what: "a pax sparse file of 8 EB",
    archive: tar(pax({ "GNU.sparse.realsize": "9223372036854775807" }), { name: "a" }),
    code: "ARCHIVE_UNSAFE",
    says: /sparse/,
  },
  { what: "the same file twice", archive: tar({ name: "a" }, { name: "./a" }), code: "ARCHIVE_UNSAFE", says: /twice/ },
  { what: "a file below a file", archive: tar({ name: "a" }, { name: "a/b" }), code: "ARCHIVE_UNSAFE", says: /which is a file/ },
  {
    what: "a NUL in an extended name",
    archive: tar(pax({ path: "a\0/../b" }), { name: "a" }),
    code: "ARCHIVE_UNSAFE",
    says: /control character/,
  },
  { what: "an escape sequence in a name", archive: tar({ name: "\x1b]52;c;x\x07" }), code: "ARCHIVE_UNSAFE", says: /control character/ },
  { what: "a name that is not UTF-8", archive: tar({ name: Buffer.from([0xff, 0xfe]) }), code: "ARCHIVE_INVALID", says: /UTF-8/ },
  { what: "a name of 256 bytes", archive: tar(pax({ path: "n".repeat(256) }), { name: "a" }), code: "ARCHIVE_UNSAFE", says: /255/ },
  { what: "a path of 5 kB", archive: tar(pax({ path: "n/".repeat(2_500) }), { name: "a" }), code: "ARCHIVE_UNSAFE", says: /4000/ },
  { what: "a global header that renames", archive: tar(pax({ path: "x" }, "g"), { name: "a" }), code: "ARCHIVE_INVALID", says: /global/ },
  { what: "a size beyond all measure", archive: tar({ name: "a", size: "\xff".repeat(12) }), code: "ARCHIVE_INVALID", says: /measure/ },
  { what: "a size that is no number", archive: tar({ name: "a", size: "12x4\0" }), code: "ARCHIVE_INVALID", says: /no number/ },
  { what: "a size over the limit", archive: tar({ name: "a", size: "77777777777\0" }), code: "ARCHIVE_INVALID", says: /unpacks to more/ },
  {
    what: "a size larger than what follows",
    archive: entry({ name: "a", size: "00000004000\0" }),
    code: "ARCHIVE_INVALID",
    says: /cut short/,
  },
  { what: "a negative pax size", archive: tar(pax({ size: "-1" }), { name: "a" }), code: "ARCHIVE_INVALID", says: /size "-1"/ },
  {
    what: "a malformed pax header",
    archive: tar({ name: "p", type: "x", content: "999 path=x\n" }, { name: "a" }),
    code: "ARCHIVE_INVALID",
    says: /malformed/,
  },
  {
    what: "an extended header of 2 MiB",
    archive: tar({ name: "p", type: "x", content: Buffer.alloc(2 ** 21, "x") }, { name: "a" }),
    code: "ARCHIVE_INVALID",
    says: /extended header is over/,
  },
  { what: "a wrong checksum", archive: Buffer.concat([Buffer.alloc(512, "x"), end]), code: "ARCHIVE_INVALID", says: /checksum/ },
  { what: "no end mark", archive: entry({ name: "a", content: "x" }), code: "ARCHIVE_INVALID", says: /end mark/ },
  { what: "nothing", archive: Buffer.alloc(0), code: "ARCHIVE_INVALID", says: /end mark/ },
  {
    what: "a gzip that is cut short",
    archive: gzipSync(tar({ name: "a" })).subarray(0, 30),
    code: "ARCHIVE_INVALID",
    says: /gzip is damaged/,
  },
  {
    what: "a gzip bomb",
    archive: gzipSync(tar(...Array.from({ length: 8 }, (_, i) => ({ name: `${i}`, content: Buffer.alloc(2 ** 20) })))),
    code: "ARCHIVE_INVALID",
    says: /unpacks to more/,
  },
  {
    what: "more entries than allowed",
    archive: gzipSync(tar(...Array.from({ length: 1_001 }, (_, i) => ({ name: `${i}` })))),
    code: "ARCHIVE_INVALID",
    says: /more than 1000 entries/,
  },
  {
    what: "more folders than allowed, hidden in few paths",
    archive: tar(...Array.from({ length: 3 }, (_, i) => [pax({ path: `${i}${"/d".repeat(400)}` }), entry({ name: "a" })]).flat()),
    code: "ARCHIVE_INVALID",
    says: /more than 1000 files/,
  },
  {
    what: "copies by hard link over the limit",
    archive: tar({ name: "a", content: Buffer.alloc(2 ** 21) }, { name: "b", type: "1", link: "a" }, { name: "c", type: "1", link: "a" }),
    code: "ARCHIVE_INVALID",
    says: /unpacks to more/,
  },
  { what: "more bytes than allowed", archive: Buffer.alloc(9 * 2 ** 20, tar({ name: "a" })), code: "ARCHIVE_INVALID", says: /larger than/ },
];

for (const { what, archive, code, says } of hostile) {
  test(`an archive with ${what} is refused`, async (t) => {
    await assert.rejects(unpack(t, archive), (error) => {
      assert.ok(error instanceof DroverError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, says);
      assert.notEqual(error.hint, "");
      return true;
    });
  });
}

test("set-uid bits and the modes of others are dropped, what is executable stays so", async (t) => {
  const folder = await unpack(t, tar({ name: "tool", mode: 0o6777, content: "x" }, { name: "text", mode: 0o666 }));
  assert.equal((await stat(join(folder, "tool"))).mode & 0o7777, 0o755);
  assert.equal((await stat(join(folder, "text"))).mode & 0o7777, 0o644);
});

test("a hard link becomes a file of its own", async (t) => {
  const folder = await unpack(t, tar({ name: "a", content: "same" }, { name: "d/b", type: "1", link: "./a" }));
  assert.equal(await readFile(join(folder, "d", "b"), "utf8"), "same");
  assert.equal((await stat(join(folder, "a"))).nlink, 1);
});

test("names that differ in case or in the form of an accent stay two files, or are refused where the disk cannot tell them apart", async (t) => {
  const folder = await unpack(t, tar({ name: "e\u0301" }, { name: "\u00e9" }, { name: "A" }, { name: "a" })).catch(
    (error: DroverError) => error.code,
  );
  if (folder !== "ARCHIVE_UNSAFE") assert.equal((await readdir(folder)).length, 4);
});

test("names that mean something to JavaScript or to a shell are names like any other", async (t) => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "$(id)", "-rf", ";id", "con", "a b", "..."];
  const folder = await unpack(t, tar(...names.map((name) => ({ name, content: name }))));
  assert.deepEqual((await readdir(folder)).sort(), [...names].sort());
});

test("an archive that arrives byte by byte is read like one that arrives at once", async (t) => {
  const bytes = gzipSync(tar({ name: "dir/a", content: "hello" }, { name: "b", type: "2", link: "dir/a" }));
  const folder = await unpack(t, Readable.from(Array.from(bytes, (byte) => Buffer.from([byte]))));
  assert.equal(await readFile(join(folder, "b"), "utf8"), "hello");
});

test("a failed unpacking leaves its source open, for the answer that may go the other way", async (t) => {
  const source = new Readable({ read() {} });
  source.push(tar({ name: "../evil" }));
  await assert.rejects(unpack(t, source));
  assert.equal(source.destroyed, false);
});

test("an unpacking whose source stalls ends when it is aborted", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "drover-archive-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const abort = new AbortController();
  const source = new Readable({ read() {} });
  source.push(entry({ name: "a", content: "x" }));
  const unpacking = extractArchive(source, folder, limits, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(unpacking, /enough/);
});
