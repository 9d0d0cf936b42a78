import { connectionFrom } from '../api/connection.ts';
import { ServerRefusal } from '../api/call.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { documentText, draftPath, publishDraft, readDraft, type DraftOptions } from './draft-api.ts';

export interface PublishOptions extends DraftOptions {
  readonly uid?: string;
}

/** `backline draft publish`: declares everything in a draft in one write, which ends the draft. */
export async function publish(name: string, options: PublishOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const path = draftPath(options.namespace ?? target.namespace, name);
  const answer = await publishDraft(
    target,
    path,
    options.uid === undefined ? await meantDraft() : { uid: options.uid },
  );
  const document = documentText(options.output, answer);
  if (document !== undefined) {
    io.exact.write(`${document}\n`);
    return EXIT.ok;
  }
  const { green, yellow, dim } = coloursFor(io.stdout, io.env);
  const lines = answer.results.map(({ apiVersion, kind, name: object, action }) => {
    const paint = action === 'created' ? green : action === 'configured' ? yellow : dim;
    const [group = '', version] = apiVersion.split('/');
    return `${kind.toLowerCase()}${version === undefined ? '' : `.${group}`}/${object} ${paint(action)}`;
  });
  const release = answer.release === undefined ? '' : `, in release ${answer.release}`;
  lines.push(dim(`Published by ${answer.by} at ${answer.at} as version ${answer.version}${release}.`));
  io.stdout.write(`${lines.join('\n')}\n`);
  return EXIT.ok;

  /** The draft that there is: another one of the name, and another version of it, are not published. */
  async function meantDraft(): Promise<{ readonly uid: string; readonly resourceVersion: string }> {
    const draft = await readDraft(target, path).catch((error: unknown) => {
      if (!(error instanceof ServerRefusal && error.status === 404)) throw error;
      const remedy = `It may have been published, or discarded: backline history draft ${name} shows who did that.`;
      throw new CliFailure(error.message, { remedy });
    });
    const { uid = '', resourceVersion = '' } = draft.metadata;
    return { uid, resourceVersion };
  }
}
