import { insideVerb } from "../inside/verb.ts";

export default insideVerb({
  isFresh: true,
  process: "with the surroundings of this process",
  help: "Runs with the artifact, environment and secrets of the active release, beside its instances. Exits as the command does.\nExample:\n  drover run shop npm run migrate",
});
