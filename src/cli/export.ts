import { encodeYaml } from '#kernel/api/codec/body.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import { call } from './api/call.ts';
import { connectionFrom, type ConnectionOptions } from './api/connection.ts';
import { EXIT } from './terminal/failure.ts';
import type { Io } from './terminal/io.ts';

export interface ExportOptions extends ConnectionOptions {
  /** A file instead of the standard output. */
  readonly file?: string;
}

/** `backline schemas`: the JSON Schema of all manifests, for editors. */
export async function exportSchemas(options: ExportOptions, io: Io): Promise<number> {
  const schema = await call(connectionFrom(options, io), 'GET', '/schemas/manifest.json');
  return print(`${JSON.stringify(schema)}\n`, options, io);
}

/** `backline crds`: the kinds of the program as CustomResourceDefinitions, for a Kubernetes. */
export async function exportDefinitions(options: ExportOptions, io: Io): Promise<number> {
  const list = (await call(connectionFrom(options, io), 'GET', '/schemas/definitions.json')) as {
    readonly items: readonly object[];
  };
  return print(list.items.map(encodeYaml).join('---\n'), options, io);
}

async function print(text: string, { file }: ExportOptions, io: Io): Promise<number> {
  if (file === undefined) io.stdout.write(text);
  else await writeWhole(file, text);
  return EXIT.ok;
}
