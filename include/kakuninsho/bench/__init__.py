"""The national benchmark: the pipeline's own stage functions on a register of any size, beside the least work there is.

| module | one job |
|---|---|
| commands | `kakuninsho bench` |
| guard | runs a part in a process of its own, samples its memory and disk, ends it above the limit |
| part | the process that is watched: runs a part and tells its phases |
| season | the parts of the pipeline: which stage functions, on which days |
| answers | the printer's answers for many pieces, by SQL |
| door | an SFTP server that keeps what it gets |
| floor | benchmarks/floor.sql on the same input, and the comparison by hash |
| report | figures: JSON, table, page |
"""
