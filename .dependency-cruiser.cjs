/** The arrows between the folders; docs/architecture.md says why. */
const core = "^src/(model|plan)/";
const shells = ["server", "agent", "edge", "cli"];
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    {
      name: "model-imports-nothing-of-ours",
      severity: "error",
      from: { path: "^src/model/", pathNot: "\\.test\\.ts$" },
      to: { path: "^src/(?!model/)" },
    },
    {
      name: "plan-imports-model-only",
      severity: "error",
      from: { path: "^src/plan/", pathNot: "\\.test\\.ts$" },
      to: { path: "^src/(?!model/|plan/)" },
    },
    { name: "core-does-no-io", severity: "error", from: { path: core, pathNot: "\\.test\\.ts$" }, to: { dependencyTypes: ["core"] } },
    {
      name: "core-has-one-library",
      severity: "error",
      from: { path: core, pathNot: "\\.test\\.ts$" },
      to: { path: "node_modules", pathNot: "node_modules/zod" },
    },
    { name: "host-imports-model-only", severity: "error", from: { path: "^src/host/" }, to: { path: "^src/(?!model/|host/)" } },
    {
      name: "checks-import-no-shell",
      severity: "error",
      from: { path: "^src/checks/" },
      to: { path: "^src/(?!model/|host/|link/|checks/)" },
    },
    { name: "link-imports-model-and-host", severity: "error", from: { path: "^src/link/" }, to: { path: "^src/(?!model/|host/|link/)" } },
    { name: "ssh-imports-model-and-host", severity: "error", from: { path: "^src/ssh/" }, to: { path: "^src/(?!model/|host/|ssh/)" } },
    ...shells.map((shell) => ({
      name: `${shell}-imports-no-other-shell`,
      severity: "error",
      from: { path: `^src/${shell}/` },
      to: { path: `^src/(${shells.filter((other) => other !== shell).join("|")})/` },
    })),
    {
      name: "web-knows-the-api-alone",
      comment: "Its types, and the pure rules about its words.",
      severity: "error",
      from: { path: "^src/web/" },
      to: { path: "^src/(?!web/|model/)" },
    },
    { name: "nobody-imports-web", severity: "error", from: { path: "^src/(?!web/)" }, to: { path: "^src/web/" } },
    { name: "only-the-server-plans", severity: "error", from: { path: "^src/(agent|edge|cli|link|host)/" }, to: { path: "^src/plan/" } },
    {
      name: "production-code-has-no-dev-dependencies",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.test\\.ts$|/testing/" },
      to: { dependencyTypes: ["npm-dev"] },
    },
    { name: "no-unresolved", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types"] },
  },
};
