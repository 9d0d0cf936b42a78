import type { ModuleRecords, RecordParts } from '#kernel/modules/module.ts';
import { cachedSubjects } from './records/cached-subjects.ts';
import { subjectStore } from './records/subjects.ts';
import { subjectsOfListener } from './rules/use-subject.ts';
import type { Desk } from './usage-desk.ts';

/** Opens the listener records beside the quotas. */
export function openDesk({
  database,
  quotas,
  clock,
  log,
}: Pick<RecordParts, 'database' | 'quotas' | 'clock' | 'log'>): Desk & ModuleRecords {
  const subjects = cachedSubjects(subjectStore(database, clock), database, log);
  return {
    subjects,
    quotas,
    erasers: [
      { store: 'subjects', erase: subjects.erase },
      { store: 'quotas', erase: eraseUse },
    ],
    tidy: () => subjects.tidy(),
    close: () => subjects.close(),
  };

  async function eraseUse(listener: string): Promise<number> {
    let erased = 0;
    for (const subject of subjectsOfListener(listener)) erased += await quotas.erase(subject);
    return erased;
  }
}
