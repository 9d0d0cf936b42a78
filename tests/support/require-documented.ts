import assert from 'node:assert/strict';
import { Compile } from 'typebox/compile';
import { openLog } from '#kernel/base/log.ts';
import { describedModules } from '#planes/parts/catalogue.ts';
import { MODULES } from '#planes/modules.ts';

interface RouteDocument {
  readonly names: ReadonlySet<string>;
  readonly check: (answer: unknown) => boolean;
  readonly errors: (answer: unknown) => readonly object[];
}

let routes: ReadonlyMap<string, RouteDocument> | undefined;

function describeRoutes(): ReadonlyMap<string, RouteDocument> {
  const modules = describedModules(MODULES, openLog('silent'));
  return new Map(
    modules.flatMap((module) =>
      module.routes.map(({ path, answer, explains }): [string, RouteDocument] => {
        const validator = Compile(answer);
        const { properties = {} } = answer as { properties?: object };
        const names = new Set([...Object.keys(properties), 'snapshot', ...(explains === true ? ['releases'] : [])]);
        return [path, { names, check: (one) => validator.Check(one), errors: (one) => validator.Errors(one) }];
      }),
    ),
  );
}

/** Asserts that an answer is what the OpenAPI document says of its path, with no member that it does not tell. */
export function requireDocumented(target: string, text: string): void {
  routes ??= describeRoutes();
  const path = target.split('?', 1)[0] ?? '';
  const route = routes.get(path);
  if (route === undefined) return;
  const answer = JSON.parse(text) as object;
  assert.ok(
    route.check(answer),
    `${path} answers what is not documented: ${JSON.stringify(route.errors(answer).slice(0, 3))}\n${text.slice(0, 600)}`,
  );
  const untold = Object.keys(answer).filter((name) => !route.names.has(name));
  assert.deepEqual(untold, [], `${path} answers members that are not documented`);
}
