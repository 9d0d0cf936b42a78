import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import { textArray } from '#kernel/postgres/arrays.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import { newKey, type SubjectKey } from './subject-key.ts';

/** Subjects in the cache: about 400 bytes each. The least recently used is evicted first. */
const REMEMBERED_MAX = 100_000;
/** Attempts for a subject that is erased each time it was created. */
const TRIES_MAX = 5;

/** Gives subjects their pseudonyms and keys, and creates them on first use. */
export class Pseudonyms {
  readonly #database: Database;
  readonly #sealing: Sealing;
  readonly #clock: Clock;
  readonly #known = new Map<string, SubjectKey>();

  constructor(parts: { readonly database: Database; readonly sealing: Sealing; readonly clock: Clock }) {
    this.#database = parts.database;
    this.#sealing = parts.sealing;
    this.#clock = parts.clock;
  }

  /** The keys of these subjects. They may be stale: writers check in their transaction that the pseudonyms still exist. */
  async of(subjects: Iterable<string>): Promise<ReadonlyMap<string, SubjectKey>> {
    const asked = [...new Set(subjects)];
    for (let tries = 1; ; tries += 1) {
      const found = await this.existing(asked);
      const missing = asked.filter((subject) => !found.has(subject));
      if (missing.length === 0) return found;
      if (tries === TRIES_MAX) throw new Error(`pseudonyms of ${missing.length} subjects do not stay`);
      await this.#make(missing);
    }
  }

  /** The keys of these subjects, as far as they have one. */
  async existing(subjects: Iterable<string>): Promise<ReadonlyMap<string, SubjectKey>> {
    const found = new Map<string, SubjectKey>();
    const missing: string[] = [];
    for (const subject of new Set(subjects)) {
      const known = this.#known.get(subject);
      if (known === undefined) missing.push(subject);
      else this.#remember(subject, known, found);
    }
    if (missing.length === 0) return found;
    for (const row of await this.#read(missing)) {
      const key = Buffer.from(this.#sealing.open(placeOf(row.pseudonym), row.sealed_key), 'base64');
      this.#remember(row.subject, { pseudonym: row.pseudonym, key }, found);
    }
    return found;
  }

  forget(subjects: Iterable<string>): void {
    for (const subject of subjects) this.#known.delete(subject);
  }

  #remember(subject: string, key: SubjectKey, found: Map<string, SubjectKey>): void {
    found.set(subject, key);
    // Deleted and set, so that the order of the map is that of the last use.
    this.#known.delete(subject);
    this.#known.set(subject, key);
    if (this.#known.size <= REMEMBERED_MAX) return;
    const [quietest] = this.#known.keys();
    if (quietest !== undefined) this.#known.delete(quietest);
  }

  #read(subjects: readonly string[]): Promise<{ subject: string; pseudonym: string; sealed_key: string }[]> {
    return this.#database.query({
      name: 'read-pseudonyms',
      text: 'select subject, pseudonym, sealed_key from backline.pseudonyms where subject = any ($1::text[])',
      values: [textArray(subjects)],
    });
  }

  async #make(subjects: readonly string[]): Promise<void> {
    const pseudonyms = subjects.map(() => randomUUID());
    const seal = (pseudonym: string) => this.#sealing.seal(placeOf(pseudonym), newKey().toString('base64'));
    await this.#database.query({
      name: 'make-pseudonyms',
      // Sorted, so that two processes that create the same subjects cannot deadlock.
      text: `
        insert into backline.pseudonyms (subject, pseudonym, sealed_key, created_at)
        select subject, pseudonym::uuid, sealed_key, $4::timestamptz
        from unnest($1::text[], $2::text[], $3::text[]) as p (subject, pseudonym, sealed_key)
        order by subject
        on conflict (subject) do nothing`,
      values: [textArray(subjects), textArray(pseudonyms), textArray(pseudonyms.map(seal)), this.#clock().toString()],
    });
  }
}

function placeOf(pseudonym: string) {
  return { kind: 'Pseudonym', namespace: '', name: pseudonym };
}
