import type { Steps } from '#kernel/base/turns.ts';
import type { Change, Entry } from '#kernel/store/contract.ts';
import { Release } from '../kinds/release.ts';

export interface FinishedLimits {
  /** Finished releases that are stored; older ones are in the history. */
  readonly finishedMax: number;
  /** Total size of their texts: one with 10,000 objects has 2.4 million. */
  readonly charactersMax: number;
  /** Deletions in one write. */
  readonly droppedMax: number;
}

interface FinishedRelease {
  readonly name: string;
  readonly number: number;
  readonly characters: number;
}

/** The finished releases, and which of them exceed the limits. */
export class FinishedReleases {
  readonly #limits: FinishedLimits;
  readonly #kept = new Map<string, FinishedRelease>();
  #characters = 0;

  constructor(limits: FinishedLimits) {
    this.#limits = limits;
  }

  /** Adds the releases that exist at the start. */
  *begin(entries: Iterable<Entry>): Steps<void> {
    for (const entry of entries) {
      if (!this.#kept.has(entry.name)) this.#take(entry);
      yield;
    }
  }

  follow({ type, entry }: Change): void {
    if (entry.kind !== Release) return;
    this.#forget(entry.name);
    if (type !== 'DELETED') this.#take(entry);
  }

  /** The oldest ones, as many as have to be deleted now. */
  findOutdated(): readonly string[] {
    const { finishedMax, charactersMax, droppedMax } = this.#limits;
    let [count, characters] = [this.#kept.size, this.#characters];
    if (count <= finishedMax && characters <= charactersMax) return [];
    const outdated: string[] = [];
    for (const one of [...this.#kept.values()].sort((a, b) => a.number - b.number)) {
      const fits = count <= finishedMax && characters <= charactersMax;
      if (fits || outdated.length === droppedMax) break;
      outdated.push(one.name);
      count -= 1;
      characters -= one.characters;
    }
    return outdated;
  }

  #take(entry: Entry): void {
    const { open, number } = Release.spec(entry.object());
    if (open) return;
    const characters = entry.text.length;
    this.#kept.set(entry.name, { name: entry.name, number, characters });
    this.#characters += characters;
  }

  #forget(name: string): void {
    this.#characters -= this.#kept.get(name)?.characters ?? 0;
    this.#kept.delete(name);
  }
}
