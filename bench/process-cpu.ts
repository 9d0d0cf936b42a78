import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of `/proc` in a second, on every Linux that we know. */
const TICKS = 100;

/** CPU seconds that the PostgreSQL of a process has used so far, with its processes that have ended. Linux only. */
export function postgresCpuSeconds(owner: number): number {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readStat(name) ?? []) : []));
  const server = all.find(({ parent, name }) => parent === owner && name === 'postgres');
  if (server === undefined) throw new Error('the process has no PostgreSQL of its own');
  const living = all.filter(({ parent }) => parent === server.pid).reduce((sum, { own }) => sum + own, 0);
  return (server.own + server.children + living) / TICKS;
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Ticks of its own, and of its children that have ended. */
  readonly own: number;
  readonly children: number;
}

/** See `proc(5)`; undefined for a process that has just ended. */
function readStat(pid: string): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const nameEnd = text.lastIndexOf(')');
  const fields = text.slice(nameEnd + 2).split(' ');
  const sum = (from: number): number => Number(fields[from]) + Number(fields[from + 1]);
  const name = text.slice(text.indexOf('(') + 1, nameEnd);
  return { pid: Number(pid), parent: Number(fields[1]), name, own: sum(11), children: sum(13) };
}
