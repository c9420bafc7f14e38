"""The outside world in one separate process: printer, post office and the insurer's core system.

It sees only its own root folder, its keys and its seed, and speaks only the contracts, over its SFTP server.
Nothing here imports the rest of `kakuninsho`, and the rest never imports this package; the replay driver alone
calls `kakuninsho.sandbox.control.advance`, which is the passing of days and belongs to no contract.
"""
