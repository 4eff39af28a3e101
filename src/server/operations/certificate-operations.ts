import { keyPem, newKey } from "#host/x509/make-certificate.ts";
import type { AcmeRequest, AcmeView, CertificateView } from "#model/api.ts";
import type { CertificateFacts } from "#model/certificates.ts";
import { DroverError } from "#model/errors.ts";
import { type AcmeSettings, accountBound, acmeSettings } from "../certificates/acme-settings.ts";
import type { CertificateController } from "../certificates/certificate-controller.ts";
import { readChain, readKey } from "../certificates/read-chain.ts";
import { dropCertificate, findCertificate, keepCertificate, listCertificates } from "../certificates/stored-certificates.ts";
import { keys, objects, put, remove } from "../objects/objects.ts";
import type { Sealer } from "../secrets/sealer.ts";
import type { OperationContext } from "./context.ts";
import type { Receipt } from "./receipt.ts";
import { transact } from "./transact.ts";

export interface CertificateContext extends OperationContext {
  readonly sealer: Sealer;
  readonly certificates: Pick<CertificateController, "serving" | "failureOf" | "renew">;
}

/** Files that somebody gave are few; more is a mistake. */
const mostFiles = 1_000;

export function viewCertificates(context: CertificateContext): readonly CertificateView[] {
  return listCertificates(context.store).map((facts) => view(context, facts));
}

export function viewCertificate(context: CertificateContext, id: string): CertificateView & { readonly chain: string } {
  const found = requireCertificate(context, id);
  return { ...view(context, found), chain: found.chain };
}

/** Keeps a certificate that somebody gave, in place of the one of that name. @throws {DroverError} CERTIFICATE_INVALID */
export async function addCertificate(
  context: CertificateContext,
  name: string,
  upload: { readonly chain: string; readonly key: string },
  receipt: Receipt | null,
): Promise<CertificateView & { readonly revision: number }> {
  const { store, sealer, clock, events } = context;
  const chain = readChain(upload.chain);
  const key = readKey(upload.key, chain);
  const nowMs = clock.nowMs();
  if (chain.leaf.validToDate.getTime() <= nowMs)
    throw new DroverError(
      "CERTIFICATE_INVALID",
      `the certificate cannot be used: it was good until ${chain.leaf.validToDate.toISOString()}`,
      {
        hint: "Get a new one from whoever made it.",
      },
    );
  const id = `file/${name}`;
  const others = store.list("/certificates/file/");
  if (others.length >= mostFiles && findCertificate(store, id) === null)
    throw new DroverError("OVERLOADED", `there are ${mostFiles} certificates from files already`, {
      hint: "Remove those that serve nothing.",
    });
  const change = keepCertificate(sealer, { id, origin: "file", chain, key: keyPem(key), nowMs });
  const { revision } = await transact(store, receipt, () => ({ answer: { id }, conditions: [], changes: [change] }));
  events.append({ subject: id, kind: "certificate.added", message: `${id} for ${chain.hosts.join(", ")} was added` });
  return { ...viewCertificate(context, id), revision };
}

/** @throws {DroverError} CERTIFICATE_NOT_FOUND */
export async function removeCertificate(context: CertificateContext, id: string, receipt: Receipt | null) {
  const { store, events } = context;
  const removed = await transact(store, receipt, () => {
    requireCertificate(context, id);
    return { answer: { id }, conditions: [], changes: [dropCertificate(id)], leadsToDeletions: true };
  });
  events.append({ subject: id, kind: "certificate.removed", message: `${id} was removed` });
  return removed;
}

/**
 * Makes or orders the certificate anew; the old one serves until the new one is there.
 * @throws {DroverError} CERTIFICATE_NOT_FOUND, CERTIFICATE_INVALID, ACME_FAILED
 */
export async function renewCertificate(context: CertificateContext, id: string): Promise<{ readonly id: string }> {
  const [origin, host = ""] = id.split("/");
  if (origin === "file")
    throw new DroverError("CERTIFICATE_INVALID", `"${id}" is from a file, which Drover cannot renew`, {
      hint: `Give the new one with "drover certificate add ${host} CHAIN KEY".`,
    });
  // What was never ordered may be ordered now; what is made anew has to be there.
  if (origin === "own") requireCertificate(context, id);
  await context.certificates.renew(origin === "own" ? "own" : "acme", host);
  return { id };
}

export function viewAcme({ store }: OperationContext): AcmeView | null {
  const settings = acmeSettings(store);
  if (settings === null) return null;
  const { directory, email, challenge, caPem } = settings;
  return { directory, email, challenge, isPrivate: caPem !== null };
}

/** From now on certificates are ordered there. The account's key stays while the directory does. */
export async function setAcme(context: CertificateContext, wanted: AcmeRequest): Promise<AcmeView> {
  const { store, sealer, events } = context;
  const before = acmeSettings(store);
  const accountKey =
    before?.directory === wanted.directory ? before.accountKey : sealer.seal(keyPem(await newKey()), accountBound(wanted.directory));
  const settings: AcmeSettings = { ...wanted, accountKey };
  await store.commit({ changes: [put(keys.acme, settings)] });
  events.append({ kind: "acme.set", message: `certificates are ordered from ${wanted.directory}` });
  return { directory: wanted.directory, email: wanted.email, challenge: wanted.challenge, isPrivate: wanted.caPem !== null };
}

export async function unsetAcme({ store, events }: OperationContext): Promise<void> {
  if (objects.acme(store) === null) return;
  await store.commit({ changes: [remove(keys.acme)], leadsToDeletions: true });
  events.append({ kind: "acme.unset", message: "no certificates are ordered any more; those there are serve until they are over" });
}

function view({ certificates }: CertificateContext, facts: CertificateFacts): CertificateView {
  const { id, origin, hosts, issuer, fingerprint, notBeforeMs, notAfterMs } = facts;
  const failure = origin === "acme" ? certificates.failureOf(id.slice("acme/".length)) : null;
  const serves = [...(certificates.serving.get(id) ?? [])];
  return { id, origin, hosts: [...hosts], serves, issuer, fingerprint, notBeforeMs, notAfterMs, failure };
}

function requireCertificate({ store }: CertificateContext, id: string) {
  const found = findCertificate(store, id);
  if (found !== null) return found;
  throw new DroverError("CERTIFICATE_NOT_FOUND", `there is no certificate "${id}"`, {
    hint: 'See which there are with "drover certificate ls".',
  });
}
