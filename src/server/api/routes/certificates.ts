import { z } from "zod";
import { acme, acmeRequest, certificate, certificateUpload } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import {
  addCertificate,
  removeCertificate,
  renewCertificate,
  setAcme,
  unsetAcme,
  viewAcme,
  viewCertificate,
  viewCertificates,
} from "../../operations/certificate-operations.ts";
import { type Call, json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

const idPattern = /^(?:own|acme|file)\/[a-z0-9*][a-z0-9._-]{0,252}$/;
const namePattern = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/** Certificates of the public routes. Keys go in and never come out. */
export function certificateRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/certificates",
      id: "listCertificates",
      summary: "Certificates of the edge's TLS port, and which hosts each serves.",
      access: { right: "read", of: "installation" },
      answer: { kind: "json", schema: z.object({ certificates: z.array(certificate) }) },
      handle: async () => ({ json: { certificates: viewCertificates(services) } }),
    }),
    route({
      method: "GET",
      path: "/v1/certificates/:origin/:certificate",
      id: "getCertificate",
      summary: "One certificate with its chain; never its key.",
      access: { right: "read", of: "installation" },
      answer: { kind: "json", schema: certificate.extend({ chain: z.string() }) },
      handle: async (call) => ({ json: viewCertificate(services, idOf(call)) }),
    }),
    route({
      method: "PUT",
      path: "/v1/certificates/file/:certificate",
      id: "addCertificate",
      summary: "Gives a certificate and its key; it is served for every routed host that it is for.",
      access: { right: "operate", of: "installation" },
      body: json(certificateUpload),
      answer: { kind: "json", schema: certificate.extend({ revision: z.int() }) },
      handle: async (call, _query, upload) => ({ json: await addCertificate(signed(services, call), nameOf(call), upload, call.receipt) }),
    }),
    route({
      method: "DELETE",
      path: "/v1/certificates/:origin/:certificate",
      id: "removeCertificate",
      summary: "Forgets a certificate; a host that needs one gets another.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "json", schema: z.object({ id: z.string(), revision: z.int() }) },
      handle: async (call) => ({ json: await removeCertificate(signed(services, call), idOf(call), call.receipt) }),
    }),
    route({
      method: "POST",
      path: "/v1/certificates/:origin/:certificate/renew",
      id: "renewCertificate",
      summary: "Makes or orders a certificate anew, now.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "json", schema: z.object({ id: z.string() }) },
      handle: async (call) => ({ json: await renewCertificate(services, idOf(call)) }),
    }),
    route({
      method: "GET",
      path: "/v1/authority",
      id: "getAuthority",
      summary: "The certificate of Drover's own authority, for clients to trust.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: z.object({ cert: z.string() }) },
      handle: async () => ({ json: { cert: (await services.authority()).cert } }),
    }),
    route({
      method: "GET",
      path: "/v1/acme",
      id: "getAcme",
      summary: "Where certificates are ordered; null if nowhere.",
      access: { right: "read", of: "installation" },
      answer: { kind: "json", schema: z.object({ acme: acme.nullable() }) },
      handle: async () => ({ json: { acme: viewAcme(services) } }),
    }),
    route({
      method: "PUT",
      path: "/v1/acme",
      id: "setAcme",
      summary: "Orders certificates of public hosts from an authority (RFC 8555), whose terms are thereby agreed to.",
      access: { right: "operate", of: "installation" },
      body: json(acmeRequest),
      answer: { kind: "json", schema: z.object({ acme: acme.nullable() }) },
      handle: async (call, _query, wanted) => ({ json: { acme: await setAcme(signed(services, call), wanted) } }),
    }),
    route({
      method: "DELETE",
      path: "/v1/acme",
      id: "unsetAcme",
      summary: "Orders no certificates any more.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "none" },
      handle: async (call) => {
        await unsetAcme(signed(services, call));
        return { status: 204 };
      },
    }),
  ];
}

function idOf({ params }: Call): string {
  const id = `${params["origin"]}/${params["certificate"]}`;
  if (idPattern.test(id)) return id;
  throw new DroverError("REQUEST_INVALID", `${JSON.stringify(id)} is no certificate's id`, {
    hint: 'An id is "own/", "acme/" or "file/" and a host or name; "drover certificate ls" shows them.',
  });
}

function nameOf({ params }: Call): string {
  const name = params["certificate"] ?? "";
  if (namePattern.test(name)) return name;
  throw new DroverError("REQUEST_INVALID", `${JSON.stringify(name)} is no name for a certificate`, {
    hint: "Use up to 100 of a-z, 0-9, dot, - and _, such as the host that it is for.",
  });
}
