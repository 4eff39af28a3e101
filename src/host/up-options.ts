import type { ProgramOptions } from "./program-options.ts";

/** The options of `drover up`: the agent reads them, the command line shows them. */
export const upOptions = {
  "--home": { value: "DIR", help: "folder of this Drover (default: $DROVER_HOME)", isHidden: true },
  "--api": { value: "HOST:PORT", help: "where the API listens (default: 127.0.0.1:7373)" },
  "--http": { value: "HOST:PORT", help: "where apps are reached (default: 127.0.0.1:8080)" },
  "--https": { value: "HOST:PORT", help: "where apps are reached over TLS (default: 363 above --http, so 127.0.0.1:8443)" },
  "--router": { value: "NAME", help: "what carries traffic: embedded, or haproxy where that is installed (default: embedded)" },
  "--trusted-proxy": { value: "NETWORK", help: "a proxy in front, such as 10.0.0.7, whose word about clients counts", isRepeated: true },
  "--connections-per-client": {
    value: "N",
    help: "how many one address may have open at once (default: a fifth of all there may be; any with haproxy)",
  },
  "--dns": { value: "HOST:PORT", help: 'where DNS answers for <app>.<space>.drover, or "off" (default: 127.0.0.1:7353 if it is free)' },
  "--dns-allow": { value: "NETWORK", help: "who may ask it beside this machine, such as 10.0.0.0/8", isRepeated: true },
  "--dns-upstream": {
    value: "HOST[:PORT]",
    help: "whom it asks for other names (default: the resolvers of this machine)",
    isRepeated: true,
  },
  "--host": { value: "NAME", help: "a name besides the loopback ones under which people reach the API", isRepeated: true },
  "--allow-outgoing": {
    value: "NETWORK",
    help: "a network inside, such as 127.0.0.0/8, that checks and webhooks may call all the same",
    isRepeated: true,
  },
  "--public-url": { value: "URL", help: "how people reach the API, for links in messages (default: the address that it listens on)" },
  "--metrics-from": {
    value: "URL",
    help: "a Prometheus or VictoriaMetrics that scrapes this Drover, to answer from about figures over time (default: its own store)",
  },
  "--link": {
    value: "HOST:PORT",
    help: "where other machines reach this one's server to join it, such as 10.0.0.1:7374 (default: nowhere)",
  },
  "--encrypt": {
    value: null,
    help: "have machines send each other's apps nothing but mutual TLS, at the port after --link's (default: plain)",
  },
  "--edges": {
    value: "KEY=VALUE",
    help: "have only machines with this label take what comes from outside (default: each machine does)",
    isRepeated: true,
  },
  "--lost-after": {
    value: "TIME",
    help: "how long another machine may be silent before what it ran is started elsewhere, 5s to 10m (default: 5s)",
  },
  "--join": { value: "HOST:PORT", help: "run as a machine of the Drover there: the address of its --link" },
  "--token-file": {
    value: "FILE",
    help: 'the token that "drover machine token" printed, for the first time that it joins; "-" reads it here',
  },
  "--join-only": { value: null, help: "join, and start nothing: for whoever sets machines up", isHidden: true },
  "--address": {
    value: "ADDRESS",
    help: "where other machines reach the apps here (default: the address by which this one reaches the server)",
  },
  "--machine": { value: "NAME", help: "with --join, the name that the token is for (default: what the token says)" },
  "--apply": { value: "PATH", help: "apply these manifests once it runs" },
  "--down": { value: null, help: "stop what an agent that was killed has left", isHidden: true },
} as const satisfies ProgramOptions;
