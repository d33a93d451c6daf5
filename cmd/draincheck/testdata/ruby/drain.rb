# Puma takes what is in the accept queue before it closes it.
drain_on_shutdown true

# Half a request holds a stop no longer than this.
first_data_timeout 5
