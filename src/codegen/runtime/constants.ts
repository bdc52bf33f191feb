/** WebGPU's flag constants; in Node the globals that name them exist only if the user has put them there. */
export const MAP_READ = 0x0001;
export const MAP_WRITE = 0x0002;
export const COPY_SRC = 0x0004;
export const COPY_DST = 0x0008;
export const STORAGE = 0x0080;
export const QUERY_RESOLVE = 0x0200;
export const MAP_MODE_READ = 0x0001;
export const MAP_MODE_WRITE = 0x0002;
export const STAGE_COMPUTE = 0x0004;
