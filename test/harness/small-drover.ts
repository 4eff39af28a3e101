import { createHash } from "node:crypto";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Distribution } from "#host/distribution.ts";
import { type PackedEntry, packTar } from "#host/pack-tar.ts";

/** Joins, starts, tells of itself and ends as the real one does, as far as adding a machine looks at it. */
const program = `#!/bin/sh
verb=$1
shift
while [ $# -gt 0 ]; do
  case $1 in
    --home) home=$2; shift ;;
    --join) address=$2; shift ;;
    --join-only) verb=join ;;
  esac
  shift
done
case $verb in
  version) echo small ;;
  join)
    read -r token
    mkdir -p "$home/link"
    printf '{"machine":"%s","address":"%s"}' "\${token#token-of-}" "$address" >"$home/link/membership.json"
    ;;
  agent) exec sh "$(dirname "$(readlink -f "$0")")/../agent/main.ts" "$home" ;;
  down)
    kill "$(sed 's/[^0-9]//g' "$home/run/agent.json" 2>/dev/null)" 2>/dev/null || true
    rm -rf "$home/run"
    ;;
esac
`;
const agent = `mkdir -p "$1/run"
sed -n 's/.*"machine":"\\([^"]*\\)".*/\\1/p' "$1/link/membership.json" | tr -d '\\n' >"$1/run/agent.machine"
printf '{"pid":%s}' $$ >"$1/run/agent.json"
trap 'kill $!; exit' TERM
sleep infinity &
wait
`;

/** A Drover of a few lines, packed as the real one is. */
export async function packSmallDrover(folder: string): Promise<Distribution> {
  const files = { "bin/drover": program, "agent/main.ts": agent };
  const entries: PackedEntry[] = [];
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, "small", path);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, text);
    await chmod(file, 0o755);
    entries.push({ kind: "file", path, sizeBytes: (await stat(file)).size, isExecutable: true });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of packTar(join(folder, "small"), entries, new AbortController().signal)) chunks.push(chunk);
  const packed = gzipSync(Buffer.concat(chunks));
  const file = join(folder, "small.tar.gz");
  await writeFile(file, packed);
  const digest = createHash("sha256").update(packed).digest("hex");
  const machine = { arm64: "aarch64", x64: "x86_64" }[process.arch as "arm64" | "x64"];
  return {
    version: "small",
    release: "0.0.0",
    architecture: machine,
    parts: [{ file, digest, sizeBytes: packed.length, unpackedBytes: 4_096 }],
  };
}
