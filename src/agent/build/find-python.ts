import type { Recipe, Step, Tool } from "./recipe.ts";
import type { Source } from "./source.ts";

/** Inside the artifact and found by PYTHONPATH: a virtual environment names its own folder in its scripts and could not be moved. */
const packages = ".drover/python";
const pip = ["python3", "-m", "pip", "install", "--no-input", "--no-compile", "--disable-pip-version-check", "--target", packages];
const python = (why: string): Tool => ({ name: "python3", versionArguments: ["--version"], why });

/** A Python app: requirements.txt, or a pyproject.toml that can be installed, or a file with an app's usual name. */
export async function findPython(source: Source): Promise<Recipe | null> {
  const requirements = await source.text("requirements.txt");
  const project = await source.text("pyproject.toml");
  const main = await source.firstFile(["app.py", "main.py", "server.py", "manage.py"]);
  if (requirements === null && project === null && main === null) return null;
  const why =
    requirements !== null ? "the source has a requirements.txt" : `the source has a ${project !== null ? "pyproject.toml" : main}`;
  const steps: Step[] = [];
  if (requirements !== null && /^\s*[^\s#]/m.test(requirements))
    steps.push({ message: "installing what requirements.txt names", argv: [...pip, "-r", "requirements.txt"] });
  else if (requirements === null && project !== null && /^\[(project|build-system)\]/m.test(project))
    steps.push({ message: "installing the project of pyproject.toml", argv: [...pip, "."] });
  return {
    kind: "python",
    tools: [python(why)],
    steps,
    launch: steps.length === 0 ? {} : { PATH: [`${packages}/bin`], PYTHONPATH: [packages] },
    processes: async () => processes(`${requirements ?? ""}\n${project ?? ""}`, main, await djangoModule(source)),
  };
}

async function djangoModule(source: Source): Promise<string | null> {
  const manage = await source.text("manage.py");
  return /DJANGO_SETTINGS_MODULE["'],\s*["'](\w+)\.settings/.exec(manage ?? "")?.[1] ?? null;
}

/** A production server where the app names one, else the file itself, which is then expected to listen on $PORT. */
function processes(named: string, main: string | null, django: string | null): Record<string, string> {
  const application = django !== null ? `${django}.wsgi` : main === null ? null : `${main.replace(/\.py$/, "")}:app`;
  if (application !== null && /^\W*gunicorn\b/im.test(named)) return { web: `exec gunicorn --bind "127.0.0.1:$PORT" ${application}` };
  if (main !== null && django === null && /^\W*uvicorn\b/im.test(named))
    return { web: `exec uvicorn --host 127.0.0.1 --port "$PORT" ${application}` };
  if (django !== null) return { web: 'exec python3 manage.py runserver --noreload "127.0.0.1:$PORT"' };
  return main === null ? {} : { web: `python3 ${main}` };
}
