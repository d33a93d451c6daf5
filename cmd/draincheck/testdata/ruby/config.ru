# A Rack application: puma -b tcp://127.0.0.1:8080 config.ru
run lambda { |env|
  env['rack.input'].read
  sleep 2 if env['PATH_INFO'] == '/slow'
  [200, { 'content-type' => 'text/plain', 'content-length' => '6' }, ["hello\n"]]
}
