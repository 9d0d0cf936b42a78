import type { FieldChange } from '#kernel/base/field-changes.ts';
import { encodeYaml } from '#kernel/api/codec/body.ts';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Colours, type Io } from '../terminal/io.ts';
import { fieldLines } from './plan-text.ts';
import { pathOf, resourceTypes, typeNamed } from '../api/resource-types.ts';

export interface HistoryOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly limit: number;
  readonly all?: boolean;
  readonly output?: 'json' | 'yaml';
}

interface Item {
  readonly version: number;
  readonly at: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly user: string;
  readonly changes: readonly FieldChange[];
}

const DID = { ADDED: 'created', MODIFIED: 'changed', DELETED: 'deleted' } as const;

/** `backline history plan premium`: who changed it when, and what. */
export async function history(kind: string, name: string, options: HistoryOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const type = typeNamed(kind, await resourceTypes(target));
  const path = `${pathOf(type, options.namespace ?? target.namespace, name)}/history?limit=${options.limit}`;
  const answer = (await call(target, 'GET', path)) as { readonly items: readonly Item[] };
  if (options.output === 'json') io.exact.write(`${JSON.stringify(answer, null, 2)}\n`);
  else if (options.output === 'yaml') io.exact.write(encodeYaml(answer));
  else {
    const items = answer.items.filter((item) => options.all === true || !isStatusOnly(item));
    const text = items.map((item) => itemText(item, coloursFor(io.stdout, io.env))).join('\n\n');
    if (text === '') io.stderr.write(`Nothing is kept of ${type.singular} ${name}.\n`);
    else io.stdout.write(`${text}\n`);
  }
  return EXIT.ok;
}

/** A status that a controller writes is no change of an object. */
function isStatusOnly({ type, changes }: Item): boolean {
  return type === 'MODIFIED' && changes.every(({ path }) => path.startsWith('status.'));
}

function itemText({ version, at, type, user, changes }: Item, colours: Colours): string {
  const { bold, dim } = colours;
  const time = at.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');
  const declared = changes.filter(({ path }) => !path.startsWith('status'));
  return [
    `${bold(`${time}  ${user}`)} ${DID[type]} it  ${dim(`version ${version}`)}`,
    ...fieldLines(declared, colours),
  ].join('\n');
}
