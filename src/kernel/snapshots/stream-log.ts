import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { Follower } from './follow.ts';
import type { LiveChange } from './live-snapshot.ts';
import { changedDigest, digestText, worldDigest, type WorldDigest } from './world-digest.ts';

const LIMITS = {
  /** Changes that a reader may be behind by, or come back after; beyond, it gets everything. */
  changesMax: 1_000,
  changesCharsMax: 8 * 1024 * 1024,
  /** A copy of everything is begun with while the changes since then are at most so many: all who come share it. */
  wholeChangesMax: 200,
  wholeChangesCharsMax: 1024 * 1024,
  /** Characters of one line, unless one object alone is longer. */
  lineChars: 64 * 1024,
} as const;

/** A moment of the live state: its version, and a digest of everything that a reader knows then. */
export interface StreamPlace {
  readonly version: string;
  readonly digest: string;
}

/**
 * The lines of the stream, one JSON value each. A reader that is not up to date gets `begin`, everything in lines of
 * `objects`, and `end`; then what changes. An object without `object` is no longer live.
 */
export type StreamLine =
  | ({ readonly type: 'begin' } & StreamPlace)
  | { readonly type: 'objects'; readonly objects: readonly LiveObject[] }
  | ({ readonly type: 'end' } & StreamPlace)
  | ({
      readonly type: 'changes';
      readonly changes: readonly { readonly kind: string; readonly name: string; readonly object?: LiveObject }[];
    } & StreamPlace)
  | ({ readonly type: 'alive' } & StreamPlace);

/** How a reader names the place where it is, as `since`. */
export function placeText({ version, digest }: StreamPlace): string {
  return `${version}:${digest}`;
}

export function lineOf(line: StreamLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** Everything in lines that are made one by one, as they are taken. */
export function* linesOfAll(place: StreamPlace, objects: Iterable<LiveObject>): Generator<string> {
  yield lineOf({ type: 'begin', ...place });
  let line = '';
  for (const object of objects) {
    const text = JSON.stringify(object);
    if (line !== '' && line.length + text.length > LIMITS.lineChars) {
      yield `{"type":"objects","objects":[${line}]}\n`;
      line = '';
    }
    line += line === '' ? text : `,${text}`;
  }
  if (line !== '') yield `{"type":"objects","objects":[${line}]}\n`;
  yield lineOf({ type: 'end', ...place });
}

/** A copy of everything; its lines are made when the first of its readers reaches them. */
class Whole {
  readonly sequence: number;
  readers = 0;
  readonly #lines: string[] = [];
  readonly #left: Iterator<string>;

  constructor(sequence: number, place: StreamPlace, objects: readonly LiveObject[]) {
    this.sequence = sequence;
    this.#left = linesOfAll(place, objects);
  }

  *lines(): Generator<string> {
    for (let at = 0; ; at += 1) {
      let line = this.#lines[at];
      if (line === undefined) {
        const { done, value } = this.#left.next();
        if (done === true) return;
        line = value;
        this.#lines.push(line);
      }
      yield line;
    }
  }
}

export interface WholeReader {
  readonly sequence: number;
  readonly lines: Iterator<string>;
  /** To be called once it is read, or no longer read. */
  readonly release: () => void;
}

interface Entry {
  readonly place: StreamPlace;
  readonly line: string;
}

/**
 * The latest changes of what applications may know, as lines that all readers share: a reader is a number, the last
 * change that it has. Begins when the first reader comes.
 */
export class StreamLog {
  readonly #follower: Follower;
  readonly #kinds: ReadonlySet<string>;
  #digest: WorldDigest | undefined;
  #place: StreamPlace = { version: '', digest: '' };
  /** The place before the first change that is kept. */
  #before: StreamPlace = this.#place;
  #changes: Entry[] = [];
  /** The number of the first change that is kept. */
  #first = 1;
  #chars = 0;
  #whole: Whole | undefined;
  /** Characters of the changes since that copy. */
  #wholeChars = 0;

  constructor(follower: Follower, kinds: ReadonlySet<string>) {
    this.#follower = follower;
    this.#kinds = kinds;
    follower.onSwap((snapshot, changes) => this.#swapped(snapshot.version, changes));
  }

  /** The last change that a reader has who names this place; undefined when it cannot go on from there. */
  sequenceOf(since: string): number | undefined {
    const now = this.now();
    // The same content is the same world, whatever its version: a restart or another node counts otherwise.
    if (since.slice(since.indexOf(':') + 1) === now.digest) return this.#last;
    if (since === placeText(this.#before)) return this.#first - 1;
    const index = this.#changes.findLastIndex(({ place }) => placeText(place) === since);
    return index === -1 ? undefined : this.#first + index;
  }

  now(): StreamPlace {
    const { version } = this.#follower.snapshot();
    if (this.#digest === undefined) {
      this.#digest = worldDigest(this.#objects());
      this.#place = { version, digest: digestText(this.#digest) };
      this.#before = this.#place;
    }
    return this.#place;
  }

  /** The line of the change after this one; undefined when there is none yet, null when it is no longer kept. */
  after(sequence: number): string | null | undefined {
    if (sequence < this.#first - 1) return null;
    return this.#changes[sequence + 1 - this.#first]?.line;
  }

  /**
   * A copy of everything, and the last change that is in it. It takes as much memory as all of it has characters, until all
   * of its readers have released it.
   */
  whole(): WholeReader {
    const place = this.now();
    const isRecent =
      this.#whole !== undefined &&
      this.#whole.sequence >= this.#first - 1 &&
      this.#last - this.#whole.sequence <= LIMITS.wholeChangesMax &&
      this.#wholeChars <= LIMITS.wholeChangesCharsMax;
    if (!isRecent || this.#whole === undefined) {
      this.#whole = new Whole(this.#last, place, [...this.#objects()]);
      this.#wholeChars = 0;
    }
    const whole = this.#whole;
    whole.readers += 1;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) whole.readers -= 1;
      isHeld = false;
      if (whole.readers === 0 && this.#whole === whole) this.#whole = undefined;
    };
    return { sequence: whole.sequence, lines: whole.lines(), release };
  }

  get #last(): number {
    return this.#first + this.#changes.length - 1;
  }

  *#objects(): Iterable<LiveObject> {
    const world: World | undefined = this.#follower.world();
    for (const kind of this.#kinds) yield* world?.list(kind) ?? [];
  }

  #swapped(version: string, changes: readonly LiveChange[] | undefined): void {
    if (this.#digest === undefined) return;
    if (changes === undefined) return this.#listedAnew(version);
    const shown = changes.filter(({ kind }) => this.#kinds.has(kind));
    for (const { before, object } of shown) {
      if (before !== undefined) this.#digest = changedDigest(this.#digest, before, -1);
      if (object !== undefined) this.#digest = changedDigest(this.#digest, object, 1);
    }
    this.#add(
      version,
      shown.map(({ kind, name, object }) => ({ kind, name, ...(object === undefined ? {} : { object }) })),
    );
  }

  /** Everything was read again: where it is what it was, readers go on; else they get it anew. */
  #listedAnew(version: string): void {
    const before = this.#place.digest;
    this.#digest = worldDigest(this.#objects());
    if (digestText(this.#digest) === before) return this.#add(version, []);
    this.#place = { version, digest: digestText(this.#digest) };
    this.#before = this.#place;
    // A number that nobody has: all readers learn that they are behind.
    this.#first = this.#last + 2;
    this.#changes = [];
    this.#chars = 0;
    this.#whole = undefined;
  }

  #add(version: string, changes: Extract<StreamLine, { type: 'changes' }>['changes']): void {
    if (this.#digest === undefined) return;
    this.#place = { version, digest: digestText(this.#digest) };
    const line = lineOf({ type: 'changes', ...this.#place, changes });
    this.#changes.push({ place: this.#place, line });
    this.#chars += line.length;
    this.#wholeChars += line.length;
    while (this.#changes.length > LIMITS.changesMax || this.#chars > LIMITS.changesCharsMax) {
      const dropped = this.#changes.shift();
      if (dropped === undefined) return;
      this.#before = dropped.place;
      this.#first += 1;
      this.#chars -= dropped.line.length;
    }
  }
}
