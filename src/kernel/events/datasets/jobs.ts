import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** Settings of the DuckDB of a job. Paths are relative to the folder that the child is started in. */
interface Engine {
  /** Folder for data that does not fit into memory; created by the child. */
  readonly scratch: string;
  readonly memoryMb: number;
  readonly spillMb: number;
  readonly threads: number;
}

/** Instructions for the files of one event type. */
export interface TypePlan {
  readonly type: string;
  /** Select list over the staged rows. */
  readonly select: string;
  /** SQL condition for staged rows that keep their properties unparsed. */
  readonly unread: string;
}

/** Reads rows of the log as CSV from standard input and writes a file for each type and day. */
export interface RollJob extends Engine {
  readonly does: 'roll';
  readonly types: readonly TypePlan[];
  /** For all other types. */
  readonly otherwise: Omit<TypePlan, 'type'>;
  /** The time until which all events were declared to be in files, in RFC 3339. */
  readonly completeUntil: string;
}

/** Finds the fresh rows of unlisted files. Rows of the log come as for a `RollJob`. */
export interface AdoptJob extends Engine {
  readonly does: 'adopt';
  readonly groups: readonly {
    readonly type: string;
    readonly day: string;
    /** Unlisted files. */
    readonly found: readonly string[];
    /** Listed files of the same type and day. */
    readonly counting: readonly string[];
  }[];
}

/** Merges files, each list into one. A merge that fails does not stop the others. */
export interface MergeJob extends Engine {
  readonly does: 'merge';
  readonly merges: readonly { readonly from: readonly string[]; readonly to: string }[];
}

/** The names in a SELECT, from DuckDB's parse tree. */
export interface Reads {
  /** Tables and views, in lower case and without their schemas. */
  readonly names: readonly string[];
  /** Whether it lists tables. */
  readonly lists: boolean;
}

/** Runs one SELECT. The child first sends its names (`Reads`), and gets their `Tables`. */
export interface QueryJob extends Engine {
  readonly does: 'query';
  readonly sql: string;
  /** check: give the columns without running it. */
  readonly format: 'rows' | 'csv' | 'parquet' | 'check';
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** The SQL of a Dataset: foreign text, which runs in the same sandbox as a query. */
export interface DatasetSql {
  readonly name: string;
  /** Its names in SQL. */
  readonly spellings: readonly string[];
  readonly sql: string;
  /** The names that it may read, in lower case; absent: any, because the SQL is generated. */
  readonly inputs?: readonly string[];
}

/** The tables of a query. */
export interface Tables {
  /** The only files that can be read. */
  readonly files: readonly string[];
  /** Generated statements that create views and small tables. */
  readonly setup: readonly string[];
  /** In the order of their dependencies. */
  readonly datasets: readonly DatasetSql[];
}

/** Parses the SQL of Datasets without running it. */
export interface ParseJob extends Engine {
  readonly does: 'parse';
  readonly datasets: readonly DatasetSql[];
}

export type Job = RollJob | AdoptJob | MergeJob | QueryJob | ParseJob;

const RollAnswer = Type.Object({
  rows: Type.Integer(),
  /** Rows that no file can hold: their places in the log, and why. The reason cites no values. */
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
      /** The file with the fresh rows. */
      to: Type.String(),
      rows: Type.Integer(),
      /** Rows that are in no listed file and not in the log. */
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
  /** The place in the text of the query, see `placeOf`. */
  position: Type.Optional(Type.Integer()),
  /** The name that does not exist, and its kind, such as Table. */
  missing: Type.Optional(Type.Object({ what: Type.String(), name: Type.String() })),
  /** The Dataset whose SQL is at fault. */
  dataset: Type.Optional(Type.String()),
});

export type Fault = Static<typeof Fault>;

/** The fault of each Dataset; null where there is none. */
const ParseAnswer = Type.Object({ faults: Type.Array(Type.Union([Fault, Type.Null()])) });

export type ParseAnswer = Static<typeof ParseAnswer>;

/** The answer of each kind of job. */
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

/** Parses the `Reads` that the child of a query sent; undefined for other messages. */
export function parseQuestion(message: unknown): Reads | undefined {
  return question.Check(message) ? message.reads : undefined;
}

/** Parses the reply of a child. Throws when its shape is wrong. */
export function parseReply<Does extends keyof Answers>(
  does: Does,
  message: unknown,
): { readonly answer: Answers[Does] } | { readonly fault: Fault } {
  if (fault.Check(message)) return message;
  if (answers[does].Check(message)) return message as { answer: Answers[Does] };
  throw new TypeError(`the DuckDB process gave an answer of another shape to a job ${does}`);
}
