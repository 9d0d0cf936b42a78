import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { placeOf } from '../terminal/place-of.ts';
import { diagnosisText, type Diagnosis } from './diagnosis-text.ts';

export interface DiagnoseOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly output: 'table' | 'json';
}

/** `backline ads diagnose`: why an ad set does not spend its budget. */
export async function diagnose(adSet: string, options: DiagnoseOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const { namespace, name } = placeOf(adSet, options, connection);
  const body = { adSet: `${namespace}/${name}` };
  const answer = (await call(connection, 'POST', '/v1/ads/diagnose', { body })) as Diagnosis;
  if (options.output === 'json') io.exact.write(`${JSON.stringify(answer, null, 2)}\n`);
  else io.stdout.write(`${diagnosisText(answer, coloursFor(io.stdout, io.env))}\n`);
  return EXIT.ok;
}
