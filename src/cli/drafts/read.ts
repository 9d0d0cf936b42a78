import { call } from '../api/call.ts';
import { connectionFrom } from '../api/connection.ts';
import { allPages, AS_TABLE } from '../api/list-objects.ts';
import { tableText, type Table } from '../objects/get.ts';
import { planText } from '../objects/plan-text.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, oneLine, type Io } from '../terminal/io.ts';
import { documentText, draftPath, readDraft, validateDraft, type DraftObject, type DraftOptions } from './draft-api.ts';
import { problemsText } from './problems-text.ts';

export interface ListOptions extends DraftOptions {
  readonly allNamespaces?: boolean;
  readonly account?: string;
}

/** `backline draft list`: the drafts of a namespace. */
export async function listDrafts(options: ListOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const namespace = options.allNamespaces === true ? undefined : (options.namespace ?? target.namespace);
  const selector =
    options.account === undefined ? '' : `fieldSelector=${encodeURIComponent(`spec.account=${options.account}`)}&`;
  const path = `${draftPath(namespace)}?${selector}`;
  if (options.output !== undefined) {
    const pages = await allPages<{ readonly items: readonly DraftObject[] }>(target, path, 'application/json');
    io.exact.write(`${documentText(options.output, { items: pages.flatMap(({ items }) => items) }) ?? ''}\n`);
    return EXIT.ok;
  }
  const pages = await allPages<Table>(target, path, AS_TABLE);
  const [first] = pages;
  const rows = pages.flatMap((page) => page.rows);
  if (first === undefined || rows.length === 0) io.stderr.write('No drafts found.\n');
  else io.stdout.write(`${tableText({ ...first, rows }, { wide: false, namespaces: namespace === undefined })}\n`);
  return EXIT.ok;
}

/** `backline draft show`: what publishing would change against what is live, and what keeps it from that. */
export async function showDraft(name: string, options: DraftOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const path = draftPath(options.namespace ?? target.namespace, name);
  const draft = await readDraft(target, path);
  const review = await validateDraft(target, path);
  const document = documentText(options.output, { ...draft, status: review });
  if (document !== undefined) {
    io.exact.write(`${document}\n`);
    return EXIT.ok;
  }
  const colours = coloursFor(io.stdout, io.env);
  const { title, account, objects } = draft.spec;
  const of = account === undefined ? '' : ` of account ${account}`;
  io.stdout.write(`${colours.bold(`Draft ${name}`)}${of}${title === undefined ? '' : `: ${oneLine(title)}`}\n\n`);
  const places = review.results.map(() => '');
  // Reasons that keep objects from going live are among the problems below.
  const results = review.results.map((result) => ({ ...result, problems: [] }));
  const policy = review.policy === undefined ? {} : { policy: review.policy };
  io.stdout.write(`${planText({ results, ...policy }, places, colours)}\n`);
  const left = objects.length - review.results.length;
  if (left > 0) io.stdout.write(`${left} of ${objects.length} objects cannot be written as they are.\n`);
  const problems = problemsText(review, colours);
  io.stdout.write(problems === '' ? '\nIt can be published.\n' : `\nIt cannot be published:\n\n${problems}\n`);
  return EXIT.ok;
}

/** `backline draft validate`: everything that is wrong with a draft; ends with 1 when there is anything. */
export async function validate(name: string, options: DraftOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  const review = await validateDraft(target, draftPath(options.namespace ?? target.namespace, name));
  const status = review.valid ? EXIT.ok : EXIT.failed;
  const document = documentText(options.output, review);
  if (document !== undefined) {
    io.exact.write(`${document}\n`);
    return status;
  }
  if (review.valid) io.stdout.write(`draft.releases.backline.dev/${name} can be published\n`);
  else io.stdout.write(`${problemsText(review, coloursFor(io.stdout, io.env))}\n`);
  return status;
}

/** `backline draft discard`: deletes a draft. */
export async function discardDraft(name: string, options: DraftOptions, io: Io): Promise<number> {
  const target = connectionFrom(options, io);
  await call(target, 'DELETE', draftPath(options.namespace ?? target.namespace, name));
  io.stdout.write(`draft.releases.backline.dev/${name} discarded\n`);
  return EXIT.ok;
}
