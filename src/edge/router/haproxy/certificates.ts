import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AcmeChallenge, type CertificateChange, coversHost, type EdgeCertificate } from "#model/certificates.ts";
import type { Log } from "#model/log.ts";
import type { RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { ListenerProblem } from "../router.ts";
import { certificateList } from "./config.ts";
import { routeHost } from "./quoting.ts";
import type { Worker } from "./worker.ts";

/** A certificate as HAProxy has it: a file named for its id, so that a renewal goes under the same name. */
interface Held {
  readonly certificate: EdgeCertificate;
  readonly file: string;
  readonly pem: string;
  readonly line: string;
}

const hostPattern = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]{0,250}[a-z0-9_])?$/;

/** Of HAProxy's words: a line or two of its own, and some of the PEM that it did not like. */
const longestWords = 500;

const plainText = /^[A-Za-z0-9._~-]{1,512}$/;

/** The certificates of the TLS port: in files at the start of a process, by commands after. */
export class Certificates {
  readonly #folder: string;
  readonly #certificates = new Map<string, EdgeCertificate>();
  #challenges: readonly AcmeChallenge[] = [];
  #wanted: readonly Held[] = [];
  /** What the process that serves has. */
  #served = new Map<string, Held>();
  /** HAProxy's words, by the refused PEM. */
  readonly #refused = new Map<string, string>();
  readonly #log: Log;

  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  change({ set, remove, challenges }: CertificateChange): void {
    for (const id of remove) this.#certificates.delete(id);
    for (const certificate of set) this.#certificates.set(certificate.id, certificate);
    this.#challenges = challenges ?? this.#challenges;
    this.#wanted = [...this.#certificates.values()].map((certificate) => {
      const file = `${createHash("sha256").update(certificate.id).digest("hex").slice(0, 24)}.pem`;
      const hosts = certificate.hosts.filter((host) => hostPattern.test(host));
      return { certificate, file, pem: `${certificate.chain.trim()}\n${certificate.key.trim()}\n`, line: [file, ...hosts].join(" ") };
    });
  }

  /** Answers for authorities, by the key of the maps. */
  challenges(): ReadonlyMap<string, string> {
    const answers = new Map<string, string>();
    for (const challenge of this.#challenges)
      if (
        challenge.kind === "http-01" &&
        hostPattern.test(challenge.host) &&
        [challenge.token, challenge.content].every((text) => plainText.test(text))
      )
        answers.set(`${challenge.host}/.well-known/acme-challenge/${challenge.token}/`, challenge.content);
    return answers;
  }

  /** Those that are not refused. */
  usable(): readonly EdgeCertificate[] {
    return this.#held().map(({ certificate }) => certificate);
  }

  /** A problem of each route over TLS whose certificate HAProxy refused. */
  problems(routes: ReadonlyMap<RouteId, Route>): readonly ListenerProblem[] {
    return this.#wanted.flatMap(({ certificate: { hosts }, file, pem }) => {
      const words = this.#refused.get(pem);
      if (words === undefined) return [];
      const rest = this.#served.has(file) ? "the one before it stays in force" : "so none is served";
      const message = `HAProxy refused the certificate for ${hosts.join(", ")}, ${rest}: ${words}`;
      return [...routes.values()]
        .filter(({ listener }) => listener.kind === "public" && hosts.some((name) => coversHost(name, routeHost(listener.host) ?? "")))
        .map(({ id }) => ({ route: id, port: null, code: "CERTIFICATE_REFUSED", message }));
    });
  }

  /** Writes them for the next process. */
  async write(): Promise<void> {
    const held = this.#held();
    for (const { file, pem } of held) await writeFile(join(this.#folder, file), pem, { mode: 0o600 });
    await writeFile(join(this.#folder, certificateList), held.map(({ line }) => `${line}\n`).join(""), { mode: 0o600 });
  }

  /** The next process serves. */
  served(): void {
    this.#served = new Map(this.#held().map((held) => [held.file, held]));
  }

  /** Takes those out that HAProxy's words name. False if they name none. */
  refuse(words: string): boolean {
    let refused = false;
    for (const { file, pem } of this.#held()) {
      const line = words.split("\n").find((one) => one.includes(file));
      if (line === undefined) continue;
      this.#refuse(file, pem, line);
      refused = true;
    }
    return refused;
  }

  /** Tells a process what is new, by commands. */
  async sync({ process: { control } }: Worker): Promise<void> {
    for (const held of this.#held()) {
      const before = this.#served.get(held.file);
      if (before?.pem === held.pem && before.line === held.line) continue;
      if (before === undefined) await control.ask(`new ssl cert ${held.file}`);
      const answers = [await control.ask(`set ssl cert ${held.file} <<\n${held.pem}`), await control.ask(`commit ssl cert ${held.file}`)];
      if (!answers[1]?.includes("Success")) {
        await control.ask(`abort ssl cert ${held.file}`);
        // The one before stays in force.
        this.#refuse(held.file, held.pem, answers.join(" "));
        continue;
      }
      if (before !== undefined && before.line !== held.line) await control.ask(`del ssl crt-list ${certificateList} ${held.file}`);
      if (before === undefined || before.line !== held.line) await control.ask(`add ssl crt-list ${certificateList} <<\n${held.line}\n`);
      this.#served.set(held.file, held);
    }
    const files = new Set(this.#wanted.map(({ file }) => file));
    for (const { file } of [...this.#served.values()]) {
      if (files.has(file)) continue;
      await control.ask(`del ssl crt-list ${certificateList} ${file}`);
      await control.ask(`del ssl cert ${file}`);
      this.#served.delete(file);
    }
  }

  #refuse(file: string, pem: string, words: string): void {
    const short = words.replace(/\s+/g, " ").slice(0, longestWords);
    this.#refused.set(pem, short);
    const id = this.#wanted.find((held) => held.file === file)?.certificate.id ?? "";
    this.#log.warn("HAProxy refused a certificate", { certificate: id, error: short });
  }

  #held(): readonly Held[] {
    return this.#wanted.flatMap((held) => {
      if (!this.#refused.has(held.pem)) return [held];
      const before = this.#served.get(held.file);
      return before === undefined ? [] : [before];
    });
  }
}
