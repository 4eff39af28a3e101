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

/** Each with one core's worth of threads, kept connections to the app, and the headers that the edge adds. @returns its process id */
export const startPeer = {
  async haproxy(bench: ProxyBench, { host, port, appPort, pemFile }: PeerOptions): Promise<number> {
    const tls = pemFile === undefined ? "" : ` ssl crt ${pemFile} ssl-min-ver TLSv1.2`;
    const file = join(bench.folder, "haproxy.cfg");
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
  ${pemFile === undefined ? `use_backend b if { hdr(host) -i ${host} }` : "default_backend b"}
backend b
  server s 127.0.0.1:${appPort}
`;
    await writeFile(file, text);
    return bench.startProxy("haproxy", ["-q", "-db", "-f", file]);
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
