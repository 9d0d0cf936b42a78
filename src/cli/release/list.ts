import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { EXIT } from '../terminal/failure.ts';
import { tableText } from '../objects/get.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { listReleases, releaseTable } from './release-api.ts';

export interface ListOptions extends ConnectionOptions {
  readonly open?: boolean;
  readonly policy?: string;
  readonly limit: number;
  readonly wide?: boolean;
  readonly json?: boolean;
}

/** `backline release list`: releases, the newest first. */
export async function listAll(options: ListOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const selectors = [
    ...(options.open === true ? ['spec.open=true'] : []),
    ...(options.policy === undefined ? [] : [`spec.policy.name=${options.policy}`]),
  ];
  if (options.json === true) {
    const { items } = await listReleases(connection, selectors);
    const newest = items.toSorted((a, b) => b.spec.number - a.spec.number).slice(0, options.limit);
    io.exact.write(`${JSON.stringify(newest, null, 2)}\n`);
    return EXIT.ok;
  }
  const table = await releaseTable(connection, selectors);
  // Names end with the number of the release, which gives the order.
  const rows = table.rows.toSorted((a, b) => numberIn(b.cells[0]) - numberIn(a.cells[0]));
  const shown = rows.slice(0, options.limit);
  if (shown.length === 0) {
    io.stderr.write(`No release${options.open === true ? ' is open' : ' found'}.\n`);
    return EXIT.ok;
  }
  io.stdout.write(`${tableText({ ...table, rows: shown }, { wide: options.wide === true, namespaces: false })}\n`);
  const more = rows.length - shown.length;
  if (more > 0) io.stderr.write(coloursFor(io.stderr, io.env).dim(`and ${more} older ones (--limit)\n`));
  return EXIT.ok;
}

function numberIn(name: unknown): number {
  return Number(/-(\d+)(?:-\d+)?$/.exec(String(name))?.[1] ?? 0);
}
