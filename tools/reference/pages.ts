import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CLIENT_ENVIRONMENT, SERVER_ENVIRONMENT } from '#cli/environment.ts';
import { commandTree } from '#cli/program.ts';
import { ioOf } from '#cli/terminal/io.ts';
import { openLog } from '#kernel/base/log.ts';
import { ownTypes } from '#kernel/events/built-in-types.ts';
import { manifestSchema } from '#kernel/api/export/manifest-schema.ts';
import { decisionOpenApi } from '#kernel/snapshots/openapi.ts';
import { allKinds } from '#planes/catalogue.ts';
import { MODULES } from '#planes/modules.ts';
import { declaredPaths, describedModules, OTHER_PATHS, ownEventTypes } from '#planes/parts/catalogue.ts';
import { limitsPage } from './limits.ts';
import { commandLinePage } from './command-line.ts';
import { configurationPage } from './configuration.ts';
import { eventsPage } from './events.ts';
import { httpPage } from './http-api.ts';
import { servedVersions } from '#kernel/kinds/registry.ts';
import { kindPages } from './kinds.ts';
import { metricsPage } from './metrics.ts';
import { refusalsPage } from './refusals.ts';
import { registries } from './registries.ts';

/** Pages that people write; tests compare their tables with the sources. */
export const HAND_WRITTEN: readonly string[] = ['conditions.md', 'log-lines.md', 'tables.md'];

/** Every other page of `docs/reference`, by its path there, made of the declarations that the program itself uses. */
export function referencePages(): ReadonlyMap<string, string> {
  const { stdin, stdout, stderr } = process;
  const program = commandTree(ioOf({ stdin, stdout, stderr, env: {}, directory: '.' }), () => {});
  const modules = describedModules(MODULES, openLog('silent'));
  return new Map([
    ...kindPages(allKinds().all.flatMap(servedVersions)),
    ['manifest.schema.json', manifestSchema(allKinds().all)],
    ['command-line.md', commandLinePage(program)],
    ['configuration.md', configurationPage(program, { server: SERVER_ENVIRONMENT, client: CLIENT_ENVIRONMENT })],
    ['http-api.md', httpPage(decisionOpenApi(modules, OTHER_PATHS, '1'), declaredPaths(modules))],
    ['limits.md', limitsPage(sourceFiles())],
    ['metrics.md', metricsPage()],
    ['refusals.md', refusalsPage(registries)],
    ['events.md', eventsPage(ownTypes(ownEventTypes(MODULES)))],
  ]);
}

function sourceFiles(): ReadonlyMap<string, string> {
  const root = resolve(import.meta.dirname, '../..');
  const paths = globSync('src/**/*.ts', { cwd: root }).filter((path) => !/\.test\.ts$|\/testing\//.test(path));
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}
