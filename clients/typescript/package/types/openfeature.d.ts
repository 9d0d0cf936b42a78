import type { Provider } from '@openfeature/server-sdk';
import type { Backline, BacklineOptions } from './index.js';

/** Backline for the OpenFeature server SDK: flags are evaluated in this process. Who gets a flag is exposed to it. */
export interface BacklineProvider extends Provider {
  readonly client: Backline;
}

export declare const BacklineProvider: new (options: Omit<BacklineOptions, 'changed'>) => BacklineProvider;
