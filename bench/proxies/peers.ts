import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProxyBench } from "./proxy-bench.ts";

/** Where a peer listens, and the app that it leads to. */
export interface PeerOptions {
  readonly host: string;
  readonly port: number;
  readonly appPort: number;
  /** A file with certificate and key, where the peer is to speak TLS. */
  readonly pemFile?: string;
}

async function startHaproxy(bench: ProxyBench, name: string, { host, port, appPort, pemFile }: PeerOptions, work?: Work): Promise<number> {
  const tls = pemFile === undefined ? "" : ` ssl crt ${pemFile} ssl-min-ver TLSv1.2`;
  const file = join(bench.folder, `${name}.cfg`);
  const text = `
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend f
  bind 127.0.0.1:${port}${tls}
  ${work?.front.join("\n  ") ?? (pemFile === undefined ? `use_backend b if { hdr(host) -i ${host} }` : "default_backend b")}
backend b
  ${work?.back.join("\n  ") ?? ""}
  server s 127.0.0.1:${appPort}
`;
  await writeFile(file, text);
  return bench.startProxy("haproxy", ["-q", "-db", "-f", file]);
}

/** Lines for its frontend and its backend. */
interface Work {
  readonly front: readonly string[];
  readonly back: readonly string[];
}

/** Each with one core's worth of threads and kept connections to the app. @returns its process id */
export const startPeer = {
  haproxy: (bench: ProxyBench, options: PeerOptions) => startHaproxy(bench, "haproxy", options),

  /** With the headers that the edge adds, compression, and hosts from a map: what somebody writes by hand who wants the same of it. */
  async haproxyAlike(bench: ProxyBench, options: PeerOptions): Promise<number> {
    const hosts = join(bench.folder, "hosts.map");
    await writeFile(hosts, `${options.host} b\n`);
    const front = [
      "unique-id-format %pid-%Ts-%rt",
      "unique-id-header x-request-id",
      "http-request set-header x-real-ip %[src]",
      `http-request set-header x-forwarded-proto ${options.pemFile === undefined ? "http" : "https"}`,
      "http-request set-header x-forwarded-host %[req.hdr(host)]",
      `use_backend %[req.hdr(host),lower,map(${hosts})]`,
    ];
    const back = ["compression algo gzip", "compression type text/html text/plain text/css application/json"];
    return startHaproxy(bench, "haproxy-alike", options, { front, back });
  },

  async nginx(bench: ProxyBench, { host, port, appPort }: PeerOptions): Promise<number> {
    const file = join(bench.folder, "nginx.conf");
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${bench.folder}/${kind};`);
    const text = `
worker_processes 1;
daemon off;
pid ${bench.folder}/nginx.pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off;
  ${paths.join(" ")}
  keepalive_requests 100000000;
  upstream u { server 127.0.0.1:${appPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    server_name ${host};
    location / {
      proxy_pass http://u;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`;
    await writeFile(file, text);
    return bench.startProxy("nginx", ["-c", file, "-e", "/dev/null"]);
  },

  async caddy(bench: ProxyBench, { host, port, appPort, pemFile }: PeerOptions): Promise<number> {
    const file = join(bench.folder, "Caddyfile");
    const tls = pemFile === undefined ? "" : `tls ${pemFile} ${pemFile}`;
    const text = `
{
  admin off
  log default {
    level ERROR
  }
  auto_https ${pemFile === undefined ? "off" : "disable_redirects"}
}
${pemFile === undefined ? "http" : "https"}://${host}:${port} {
  bind 127.0.0.1
  ${tls}
  reverse_proxy 127.0.0.1:${appPort}
}
`;
    await writeFile(file, text);
    const home = { HOME: bench.folder, XDG_DATA_HOME: bench.folder, XDG_CONFIG_HOME: bench.folder };
    return bench.startProxy("caddy", ["run", "--adapter", "caddyfile", "--config", file], { GOMAXPROCS: "1", ...home });
  },
};
