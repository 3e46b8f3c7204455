"""What goes wrong in Python, in words. The same in every plugin."""


def words(error):
    """An exception with the line of the plugin that raised it; kepi itself would only know that there was one."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    place = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
    return f"{type(error).__name__}: {error} ({place}:{trace.tb_lineno})"
