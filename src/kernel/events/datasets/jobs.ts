import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** What every job says of the DuckDB that it runs in. Paths are below the folder that the child is started in. */
interface Engine {
  /** For what does not fit into memory; made by the child. */
  readonly scratch: string;
  readonly memoryMb: number;
  readonly spillMb: number;
  readonly threads: number;
}

/** How events of one type become files. */
export interface TypePlan {
  readonly type: string;
  /** The select list over the staged rows. */
  readonly select: string;
  /** Which staged rows keep their properties whole, as SQL. */
  readonly unread: string;
}

/** Reads rows of the log as CSV from standard input and writes a file for each type and day. */
export interface RollJob extends Engine {
  readonly does: 'roll';
  readonly types: readonly TypePlan[];
  /** For types that are not among those. */
  readonly otherwise: Omit<TypePlan, 'type'>;
  /** Until when everything was said to be in files, in RFC 3339. */
  readonly completeUntil: string;
}

/** Looks which rows of files that no table lists are nowhere else. Rows of the log come as for a `RollJob`. */
export interface AdoptJob extends Engine {
  readonly does: 'adopt';
  readonly groups: readonly {
    readonly type: string;
    readonly day: string;
    /** Files that no table lists. */
    readonly found: readonly string[];
    /** Files of the same type and day that count. */
    readonly counting: readonly string[];
  }[];
}

/** Writes the rows of some files into one, several times. One that fails keeps none of the others back. */
export interface MergeJob extends Engine {
  readonly does: 'merge';
  readonly merges: readonly { readonly from: readonly string[]; readonly to: string }[];
}

/** What a SELECT names, out of DuckDB's parse tree. */
export interface Reads {
  /** Tables and views, in small letters and without their schemas. */
  readonly names: readonly string[];
  /** Whether it asks which tables there are. */
  readonly lists: boolean;
}

/** Runs one SELECT. What that names, the child says first (`Reads`), and gets those `Tables`. */
export interface QueryJob extends Engine {
  readonly does: 'query';
  readonly sql: string;
  /** check: say the columns and do not run it. */
  readonly format: 'rows' | 'csv' | 'parquet' | 'check';
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** The SQL of a Dataset: foreign text, which runs behind the same fence as a query. */
export interface DatasetSql {
  readonly name: string;
  /** What it is called in SQL. */
  readonly spellings: readonly string[];
  readonly sql: string;
  /** The names that it may read, in small letters; absent: whatever there is, because the SQL is ours. */
  readonly inputs?: readonly string[];
}

/** What a query gets to read. */
export interface Tables {
  /** The only files that can be read. */
  readonly files: readonly string[];
  /** Statements of ours that make views and small tables. */
  readonly setup: readonly string[];
  /** Each after those that it reads. */
  readonly datasets: readonly DatasetSql[];
}

/** Parses the SQL of Datasets and runs nothing of it. */
export interface ParseJob extends Engine {
  readonly does: 'parse';
  readonly datasets: readonly DatasetSql[];
}

export type Job = RollJob | AdoptJob | MergeJob | QueryJob | ParseJob;

const RollAnswer = Type.Object({
  rows: Type.Integer(),
  /** Rows that no file can hold: where they stand in the log, and why. The reason cites nothing of them. */
  aside: Type.Array(Type.Object({ place: Type.String(), type: Type.String(), reason: Type.String() })),
  /** Rows that were received before `completeUntil`. */
  overdue: Type.Integer(),
  files: Type.Array(
    Type.Object({
      type: Type.String(),
      day: Type.String({ pattern: String.raw`^\d{4}-\d\d-\d\d$` }),
      rows: Type.Integer(),
      late: Type.Boolean(),
      unread: Type.Integer(),
      path: Type.String(),
    }),
  ),
});

const AdoptAnswer = Type.Object({
  files: Type.Array(
    Type.Object({
      path: Type.String(),
      /** Where those rows lie that are nowhere else. */
      to: Type.String(),
      rows: Type.Integer(),
      /** Rows that are nowhere else. */
      fresh: Type.Integer(),
      unread: Type.Integer(),
      late: Type.Boolean(),
      /** DuckDB's kind of error, where the file cannot be read. */
      fault: Type.Optional(Type.String()),
    }),
  ),
});

const MergeAnswer = Type.Object({
  /** In order; with DuckDB's kind of error where a merge failed. */
  merged: Type.Array(Type.Object({ rows: Type.Integer(), fault: Type.Optional(Type.String()) })),
});

const QueryAnswer = Type.Object({
  columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
  rows: Type.Optional(Type.Array(Type.Array(Type.Unknown()))),
  /** CSV as text, Parquet in base64. */
  data: Type.Optional(Type.String()),
  rowCount: Type.Integer(),
  truncated: Type.Boolean(),
});

const Question = Type.Object({
  reads: Type.Object({ names: Type.Array(Type.String()), lists: Type.Boolean() }),
});

export type RollAnswer = Static<typeof RollAnswer>;
export type AdoptAnswer = Static<typeof AdoptAnswer>;
export type MergeAnswer = Static<typeof MergeAnswer>;
export type QueryAnswer = Static<typeof QueryAnswer>;

const Fault = Type.Object({
  message: Type.String(),
  /** DuckDB's kind of error, or one of ours: `Size`, `Statement`. */
  kind: Type.String(),
  /** Where in the text of the query, see `placeOf`. */
  position: Type.Optional(Type.Integer()),
  /** What was named and is not there, and whether it is a table. */
  missing: Type.Optional(Type.Object({ what: Type.String(), name: Type.String() })),
  /** Whose definition does not hold. */
  dataset: Type.Optional(Type.String()),
});

export type Fault = Static<typeof Fault>;

/** What is wrong with each Dataset; null where nothing is. */
const ParseAnswer = Type.Object({ faults: Type.Array(Type.Union([Fault, Type.Null()])) });

export type ParseAnswer = Static<typeof ParseAnswer>;

/** What each kind of job answers. */
export interface Answers {
  readonly roll: RollAnswer;
  readonly adopt: AdoptAnswer;
  readonly merge: MergeAnswer;
  readonly query: QueryAnswer;
  readonly parse: ParseAnswer;
}

const question = Compile(Question);
const fault = Compile(Type.Object({ fault: Fault }));
const answers = {
  roll: Compile(Type.Object({ answer: RollAnswer })),
  adopt: Compile(Type.Object({ answer: AdoptAnswer })),
  merge: Compile(Type.Object({ answer: MergeAnswer })),
  query: Compile(Type.Object({ answer: QueryAnswer })),
  parse: Compile(Type.Object({ answer: ParseAnswer })),
} as const;

/** What a query reads, where that is what its child sent; undefined when it sent anything else. */
export function parseQuestion(message: unknown): Reads | undefined {
  return question.Check(message) ? message.reads : undefined;
}

/** Reads what a child sent. Throws when it is not what was agreed. */
export function parseReply<Does extends keyof Answers>(
  does: Does,
  message: unknown,
): { readonly answer: Answers[Does] } | { readonly fault: Fault } {
  if (fault.Check(message)) return message;
  if (answers[does].Check(message)) return message as { answer: Answers[Does] };
  throw new TypeError(`the DuckDB process gave an answer of another shape to a job ${does}`);
}
