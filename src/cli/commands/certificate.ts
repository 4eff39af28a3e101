import { readFile } from "node:fs/promises";
import type { AcmeView, CertificateView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";
import type { Output } from "../output/output.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";
import { confirm } from "../prompt.ts";

const idArgument = ["<id>", 'id of the certificate, such as "own/shop.localhost"'] as const;

const list = {
  summary: "list certificates, what they serve and when they end",
  async run({ api, out, signal }) {
    const { certificates } = await api.call<{ certificates: CertificateView[] }>("GET", apiPath(["certificates"]), signal);
    if (out.json) {
      out.value({ certificates });
      return 0;
    }
    if (certificates.length === 0) out.note("there are no certificates; each routed host gets one");
    const rows = certificates.map(({ id, serves, notAfterMs, failure }) => [
      id,
      serves.join(", ") || "-",
      dateTime(notAfterMs),
      failure === null ? "" : `not renewed: ${failure}`,
    ]);
    if (rows.length > 0) for (const line of table(["CERTIFICATE", "SERVES", "GOOD UNTIL", ""], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const show = {
  summary: "show one certificate",
  configure: (command) => command.argument(...idArgument).option("--pem", "print the chain alone, as PEM"),
  async run({ api, out, signal }, { args: [id = ""], options }) {
    const found = await api.call<CertificateView & { chain: string }>("GET", pathOf(id), signal);
    if (out.json) out.value(found);
    else if (options["pem"] === true) printPem(out, found.chain);
    else {
      out.line(`certificate  ${found.id}`);
      out.line(`hosts        ${found.hosts.join(", ")}`);
      out.line(`serves       ${found.serves.join(", ") || "nothing"}`);
      out.line(`issuer       ${found.issuer}`);
      out.line(`good from    ${dateTime(found.notBeforeMs)}`);
      out.line(`good until   ${dateTime(found.notAfterMs)}`);
      out.line(`SHA-256      ${found.fingerprint}`);
      if (found.failure !== null) out.line(`not renewed  ${found.failure}`);
    }
    return 0;
  },
} satisfies Verb & { summary: string };

const add = {
  summary: "give a certificate and its key, from files",
  configure: (command) =>
    command
      .argument("<chain>", "PEM file: the certificate, then those of its chain")
      .argument("<key>", "PEM file: its key, without a passphrase")
      .option("--name <name>", "what to call it; one of that name is replaced. Left out, the first host that it is for")
      .addHelpText("after", "\nIt is served for every routed host that it is for, before any that Drover made or ordered."),
  async run({ api, out, signal }, { args: [chainFile = "", keyFile = ""], options }) {
    const [chain, key] = await Promise.all([readText(chainFile), readText(keyFile)]);
    const name = typeof options["name"] === "string" ? options["name"] : await nameOf(chain, chainFile);
    const added = await api.call<CertificateView>("PUT", apiPath(["certificates", "file", name]), signal, { body: { chain, key } });
    if (out.json) out.value(added);
    else out.line(`added ${added.id} for ${added.hosts.join(", ")}, good until ${dateTime(added.notAfterMs)}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const remove = {
  summary: "forget a certificate; a host that needs one gets another",
  configure: (command) => command.argument(...idArgument),
  async run(session, { args: [id = ""] }) {
    const path = pathOf(id);
    await confirm(session, `this forgets the certificate "${id}" and its key`, id);
    const removed = await session.api.call<{ id: string }>("DELETE", path, session.signal);
    if (session.out.json) session.out.value(removed);
    else session.out.line(`removed ${removed.id}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const renew = {
  summary: "make or order a certificate anew, now",
  configure: (command) => command.argument(...idArgument),
  async run({ api, out, signal }, { args: [id = ""] }) {
    const renewed = await api.call<{ id: string }>("POST", `${pathOf(id)}/renew`, signal);
    if (out.json) out.value(renewed);
    else out.line(id.startsWith("acme/") ? `ordering ${id}; "drover events" tells how it went` : `renewed ${id}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const ca = {
  summary: "print the certificate of Drover's own authority, for clients to trust",
  configure: (command) =>
    command.addHelpText("after", "\nExample:\n  drover certificate ca > ca.pem && curl --cacert ca.pem https://shop.localhost:8443"),
  async run({ api, out, signal }) {
    const authority = await api.call<{ cert: string }>("GET", apiPath(["authority"]), signal);
    if (out.json) out.value(authority);
    else printPem(out, authority.cert);
    return 0;
  },
} satisfies Verb & { summary: string };

const acme = {
  summary: "show or set the authority that certificates of public hosts are ordered from",
  configure: (command) =>
    command
      .argument("[directory]", "URL of its directory, such as https://acme-v02.api.letsencrypt.org/directory; left out, shows what is set")
      .option("--email <address>", "whom the authority may write to")
      .option("--challenge <kind>", "http-01, tls-alpn-01 or dns-01", "http-01")
      .option(
        "--ca <file>",
        "for an authority inside: PEM file that its own API is trusted by; hosts that the public does not reach are ordered too",
      )
      .option("--off", "order nothing any more")
      .addHelpText("after", "\nSetting an authority means to agree to its terms."),
  async run({ api, out, signal }, { args: [directory], options }) {
    const path = apiPath(["acme"]);
    if (options["off"] === true) await api.call("DELETE", path, signal);
    else if (directory !== undefined) {
      const { email, challenge, ca: caFile } = options as { email?: string; challenge: string; ca?: string };
      const caPem = caFile === undefined ? null : await readText(caFile);
      await api.call("PUT", path, signal, { body: { directory, email: email ?? null, challenge, caPem } });
    }
    const { acme: set } = await api.call<{ acme: AcmeView | null }>("GET", path, signal);
    if (out.json) out.value({ acme: set });
    else if (set === null) out.line("no certificates are ordered; hosts get those of Drover's own authority");
    else out.line(`certificates are ordered from ${set.directory} by ${set.challenge}${set.email === null ? "" : `, for ${set.email}`}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, show, add, rm: remove, renew, ca, acme } } satisfies Noun;

function printPem(out: Output, pem: string): void {
  for (const line of pem.trimEnd().split("\n")) out.line(line);
}

function pathOf(id: string): string {
  const slash = id.indexOf("/");
  if (slash === -1)
    throw new DroverError("USAGE", `"${id}" is no certificate's id`, {
      hint: 'Ids are shown by "drover certificate ls", such as "own/shop.localhost".',
    });
  return apiPath(["certificates", id.slice(0, slash), id.slice(slash + 1)]);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new DroverError("USAGE", `"${file}" cannot be read`, { cause: error, hint: "Name files that are there and that you may read." });
  }
}

/** The first host of the certificate, with a wildcard's star left out. */
async function nameOf(chain: string, file: string): Promise<string> {
  const { X509Certificate } = await import("node:crypto");
  let names: string;
  try {
    names = new X509Certificate(chain).subjectAltName ?? "";
  } catch (error) {
    throw new DroverError("CERTIFICATE_INVALID", `"${file}" holds no certificate in PEM`, {
      cause: error,
      hint: "The chain comes first, then the key.",
    });
  }
  const name = /DNS:(?:\*\.)?([A-Za-z0-9._-]+)/.exec(names)?.[1];
  if (name === undefined)
    throw new DroverError("CERTIFICATE_INVALID", `the certificate in "${file}" is for no host name`, { hint: "Use another one." });
  return name.toLowerCase();
}
