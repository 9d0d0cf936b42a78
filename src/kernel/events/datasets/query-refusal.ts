import type { Problem, Refusal } from '#kernel/base/failures.ts';
import { datasetRefusal } from '#kernel/events/refusals.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { Fault } from './jobs.ts';
import type { JobFailure, JobLimits } from './run-job.ts';

/** Errors of DuckDB that the caller did not cause. */
const NOT_THE_CALLERS: ReadonlySet<string> = new Set(['IO', 'Internal', 'Fatal', 'Interrupt', 'Other']);

/** The refusal of a query that failed. Names no path of the machine. */
export function queryRefusal(
  failure: JobFailure,
  asked: {
    readonly sql: string;
    readonly tables: readonly string[];
    readonly directory: string;
    readonly limits: JobLimits;
  },
): Refusal {
  const { because, fault } = failure;
  switch (because) {
    case 'time':
      return datasetRefusal('query-too-long', `The query was ended after ${asked.limits.msMax / 1000} seconds.`);
    case 'memory':
    case 'disk':
      return tooMuchMemory(failure.message);
    case 'fault':
      return fault === undefined ? unavailable() : faultRefusal(fault, asked);
    default:
      return unavailable();
  }
}

function faultRefusal(fault: Fault, { sql, tables, directory }: Parameters<typeof queryRefusal>[1]): Refusal {
  const message = sentenceOf(fault, tables).replaceAll(directory, '');
  if (fault.kind === 'Out of Memory') return tooMuchMemory('it took more memory than a query may');
  if (NOT_THE_CALLERS.has(fault.kind)) return unavailable();
  if (fault.dataset !== undefined) {
    return datasetRefusal('broken-dataset', `The Dataset "${fault.dataset}" cannot be read: ${message}.`);
  }
  if (fault.kind === 'Statement') {
    return bad('not-a-select', `A query is one SELECT, and ${message}.`);
  }
  if (fault.kind === 'Size') {
    return datasetRefusal('result-too-large', `The result is too large: ${message}.`);
  }
  if (fault.kind === 'Permission') return bad('outside', OUTSIDE);
  return bad('bad-sql', `${message}${placeOf(sql, fault)}.`);
}

/** The problem of a declared Dataset with faulty SQL. */
export function sqlProblem(fault: Fault, sql: string): Problem {
  const message = sentenceOf(fault, []);
  const detail =
    fault.kind === 'Statement'
      ? `The SQL of a Dataset is one SELECT, and ${message}.`
      : fault.kind === 'Permission'
        ? OUTSIDE
        : `${message}${placeOf(sql, fault)}.`;
  return { path: ['spec', 'sql'], reason: 'FieldValueInvalid', detail };
}

const OUTSIDE = 'A query reads EventTypes and Datasets, and no files, addresses or settings.';

/** The refusal of a query when a listed file is missing. */
export function fileMissing(path: string): Refusal {
  const message = `The file ${path} is missing in the folder of datasets that this process reads.`;
  return datasetRefusal('file-missing', message);
}

function bad(code: 'not-a-select' | 'outside' | 'bad-sql', message: string): Refusal {
  return datasetRefusal(code, message, {
    problems: [{ path: ['spec', 'sql'], reason: 'FieldValueInvalid', detail: message }],
  });
}

function tooMuchMemory(message: string): Refusal {
  return datasetRefusal('query-too-large', `The query was ended: ${message}.`);
}

function unavailable(): Refusal {
  return datasetRefusal('query-failed', 'The query could not be run; the log of the server says why.');
}

/** DuckDB's message as a sentence, with suggestions from our tables instead of DuckDB's. */
function sentenceOf({ message, missing }: Fault, tables: readonly string[]): string {
  if (missing?.what === 'Table') {
    return `There is no table "${missing.name}"${didYouMean(nearSpellings(missing.name, tables))}`;
  }
  const [first = '', ...more] = message.split('\n').map((line) => line.trim());
  const hint = more.filter((line) => /^(Did you mean|Candidate bindings)/.test(line)).join(' ');
  // Removes advice about settings, which nobody can change here.
  const sentence = first.replace(/[.;]?[^.;]*\b(SET|PRAGMA)\b.*$/, '').replace(/[.!]$/, '');
  return hint === ''
    ? sentence
    : `${sentence} (${hint.replace(/^Did you/, 'did you').replace(/^Candidate bindings/, 'there is')})`;
}

/** ` (line 2, column 7: from nada)`. The parser counts characters, later stages count bytes. */
function placeOf(sql: string, { kind, position }: Fault): string {
  if (position === undefined) return '';
  const before =
    kind === 'Parser' ? Array.from(sql).slice(0, position).join('') : Buffer.from(sql).subarray(0, position).toString();
  const lines = before.split('\n');
  const column = (lines.at(-1)?.length ?? 0) + 1;
  const rest = sql.slice(before.length).split('\n')[0]?.slice(0, SHOWN_CHARS_MAX) ?? '';
  return ` (line ${lines.length}, column ${column}${rest === '' ? '' : `: ${rest}`})`;
}

const SHOWN_CHARS_MAX = 40;
